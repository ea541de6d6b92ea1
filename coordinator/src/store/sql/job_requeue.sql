-- $3 is the latest deadline that may be judged: the reaper's now, or no limit where the worker
-- itself gave up.
UPDATE jobs
SET state = 'queued', worker_id = NULL, slot = NULL, lease_until = NULL, started_at = NULL,
    not_before = $4, error = $5, failures = $6, lost_attempts = $7, hindrance = $8, hindrances = $9
WHERE id = $1
  AND attempt = $2
  AND state = 'running'
  AND lease_until <= $3
