UPDATE sweeps
SET unsummed_after = $2
WHERE id = $1
