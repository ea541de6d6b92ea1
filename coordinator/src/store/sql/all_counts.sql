SELECT sweep_id,
       state,
       count(*) AS jobs,
       CAST(sum(epochs) AS BIGINT) AS epochs,
       COALESCE(sum(epoch_seconds), 0.0) AS epoch_seconds
FROM jobs
GROUP BY sweep_id, state
