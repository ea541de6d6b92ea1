-- From now on attempts name the worker: it is never forgotten.
UPDATE workers
SET has_leased = 1, last_seen_at = $2
WHERE id = $1
  AND (has_leased = 0 OR last_seen_at <= $2 - 5000000)
