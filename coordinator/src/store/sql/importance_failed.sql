-- It took so long and came to nothing: it counts like one that came to something, so that the next
-- try is as far away.
UPDATE sweeps
SET importance_took = $2
WHERE id = $1
