-- Differs from Postgres: json_each. Of the workers in the list $1, each with how many microseconds
-- before $2 it called.
UPDATE workers
SET last_seen_at = seen.at
FROM (SELECT value->>0 AS id, $2 - (value->>1) AS at FROM json_each($1)) seen
WHERE workers.id = seen.id
  AND workers.last_seen_at < seen.at
