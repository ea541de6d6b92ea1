-- Only in Postgres: the sweeps of the jobs in the list $1, before the jobs and by id, as
-- sweep_lock.sql says.
SELECT id
FROM sweeps
WHERE id IN (SELECT j.sweep_id FROM jobs j WHERE j.id IN (SELECT value::bigint FROM jsonb_array_elements_text($1)))
ORDER BY id
FOR NO KEY UPDATE
