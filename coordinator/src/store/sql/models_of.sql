SELECT final_model, best_model
FROM jobs
WHERE id = $1
