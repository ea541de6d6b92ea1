SELECT a.job_id AS job, a.attempt, a.lease
FROM jobs j
JOIN job_attempts a ON a.job_id = j.id AND a.attempt = j.attempt
WHERE j.state = 'running'
  AND j.worker_id = $1
ORDER BY j.sweep_id, j.id
