UPDATE jobs
SET final_model = NULL, best_model = NULL
WHERE id = $1
