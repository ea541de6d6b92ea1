UPDATE sweeps
SET state = $2, ended_at = $3
WHERE id = $1
