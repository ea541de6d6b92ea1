-- Differs from SQLite, which has one writer: what another coordinator is removing just now is left
-- to it.
SELECT id, dataset
FROM sweeps
WHERE state = 'removing'
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED
