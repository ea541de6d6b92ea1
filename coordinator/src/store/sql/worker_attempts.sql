-- In the order of the index on running jobs, so that SQLite uses it without statistics too.
SELECT id AS job, attempt
FROM jobs
WHERE state = 'running'
  AND worker_id = $1
ORDER BY sweep_id, id
