UPDATE sweeps
SET jobs_created = $2
WHERE id = $1
