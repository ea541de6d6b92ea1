-- Read from the index jobs_progress alone. A sum beyond its type would fail the statement: what no job has (more epochs than
-- 32 bits count, a year of training) does not count.
SELECT sweep_id,
       state,
       count(*) AS jobs,
       CAST(sum(CASE WHEN epochs BETWEEN 0 AND 4294967295 THEN epochs ELSE 0 END) AS BIGINT) AS epochs,
       sum(CASE WHEN epoch_seconds BETWEEN 0.0 AND 31557600.0 THEN epoch_seconds ELSE 0.0 END) AS epoch_seconds
FROM jobs
WHERE sweep_id = $1
GROUP BY sweep_id, state
