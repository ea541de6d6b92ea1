DELETE FROM sweeps
WHERE id = $1
