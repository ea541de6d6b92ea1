-- What jobs $2 to $3 of sweep $1 add to its counts, as far as they can be retried.
SELECT state, count(*) AS jobs, CAST(COALESCE(sum(epochs), 0) AS BIGINT) AS epochs,
       COALESCE(sum(epoch_seconds), 0.0) AS epoch_seconds
FROM jobs
WHERE sweep_id = $1
  AND id BETWEEN $2 AND $3
  AND state IN ('failed', 'cancelled')
GROUP BY state
