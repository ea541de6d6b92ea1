-- Read from the index jobs_progress alone.
SELECT sweep_id,
       state,
       count(*) AS jobs,
       CAST(sum(epochs) AS BIGINT) AS epochs,
       COALESCE(sum(epoch_seconds), 0.0) AS epoch_seconds
FROM jobs
WHERE sweep_id = $1
GROUP BY sweep_id, state
