SELECT id AS job, attempt
FROM jobs
WHERE state = 'running'
  AND worker_id = $1
ORDER BY id
