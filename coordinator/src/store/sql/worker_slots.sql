-- The slots of worker $1 that hold a job.
SELECT slot
FROM jobs
WHERE state = 'running'
  AND worker_id = $1
