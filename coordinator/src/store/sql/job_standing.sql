SELECT sweep_id, state
FROM jobs
WHERE id = $1
