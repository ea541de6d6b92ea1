-- Where another coordinator has meanwhile kept what came out of more runs, that stays.
UPDATE sweeps
SET importance_at = $2, importance_of = $3, importance_took = $4
WHERE id = $1
  AND COALESCE(importance_of, 0) <= $3
