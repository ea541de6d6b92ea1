-- $3 is the latest deadline that may be judged: the reaper's now, or no limit where the worker
-- itself gave up.
UPDATE jobs
SET state = 'failed', lease_until = NULL, ended_at = $4, error = $5, failures = $6, lost_attempts = $7,
    epochs_done = $8, epoch_seconds = $9, seconds = $10, hindrance = NULL, hindrances = 0
WHERE id = $1
  AND attempt = $2
  AND state = 'running'
  AND lease_until <= $3
