-- Differs from Postgres, where several may remove at once.
SELECT id, dataset
FROM sweeps
WHERE state = 'removing'
ORDER BY id
LIMIT 1
