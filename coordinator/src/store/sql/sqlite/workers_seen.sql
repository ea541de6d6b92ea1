-- Differs from Postgres: json_each. The workers in the list $1 have called by $2.
UPDATE workers
SET last_seen_at = $2
WHERE id IN (SELECT value FROM json_each($1))
  AND last_seen_at < $2
