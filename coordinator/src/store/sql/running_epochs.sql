SELECT count(*) AS epochs, COALESCE(sum(e.seconds), 0.0) AS epoch_seconds
FROM jobs j
JOIN epochs e ON e.job_id = j.id AND e.attempt = j.attempt
WHERE j.sweep_id = $1
  AND j.state = 'running'
