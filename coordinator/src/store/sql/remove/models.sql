-- The models of jobs $2 to $3 of sweep $1.
SELECT final_model
FROM jobs
WHERE sweep_id = $1
  AND id BETWEEN $2 AND $3
  AND final_model IS NOT NULL
UNION
SELECT best_model
FROM jobs
WHERE sweep_id = $1
  AND id BETWEEN $2 AND $3
  AND best_model IS NOT NULL
