-- Only in Postgres: as jobs_lock.sql, of the sweeps in the list $2 alone.
SELECT id
FROM jobs
WHERE id IN (SELECT value::bigint FROM jsonb_array_elements_text($1))
  AND sweep_id IN (SELECT value::bigint FROM jsonb_array_elements_text($2))
ORDER BY id
FOR NO KEY UPDATE
