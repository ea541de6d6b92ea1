-- Only in Postgres: as sweeps_lock.sql, without those that somebody else holds.
SELECT id
FROM sweeps
WHERE id IN (SELECT j.sweep_id FROM jobs j WHERE j.id IN (SELECT value::bigint FROM jsonb_array_elements_text($1)))
ORDER BY id
FOR NO KEY UPDATE SKIP LOCKED
