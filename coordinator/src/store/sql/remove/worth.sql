-- How many jobs sweep $1 has, and epochs that they kept.
SELECT count(*) AS jobs, CAST(COALESCE(sum(epochs_done), 0) AS BIGINT) AS epochs
FROM jobs
WHERE sweep_id = $1
