-- Where another coordinator has meanwhile kept what came out of more runs, that stays. $5 is how
-- often the sweep had been opened again when the runs were read: if it was since, they are not its
-- runs any more.
UPDATE sweeps
SET importance_at = $2, importance_of = $3, importance_took = $4
WHERE id = $1
  AND COALESCE(importance_of, 0) <= $3
  AND reopened = $5
