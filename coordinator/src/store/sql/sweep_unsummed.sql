-- The oldest sweep with jobs that may have ended without sums, or sweep $1 if it still has some.
SELECT id, unsummed_after
FROM sweeps
WHERE unsummed_after IS NOT NULL
  AND ($1 IS NULL OR id = $1)
ORDER BY id
LIMIT 1
