SELECT importance_at
FROM sweeps
WHERE id = $1
