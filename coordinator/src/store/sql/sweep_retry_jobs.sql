-- Jobs $2 to $3 of sweep $1, back in the queue as if they had never failed. `attempt` stays: the
-- next number follows it.
UPDATE jobs
SET state = 'queued', worker_id = NULL, slot = NULL, lease_until = NULL, started_at = NULL, ended_at = NULL,
    not_before = 0, failures = 0, lost_attempts = 0, error = NULL, epochs_done = NULL, epoch_seconds = NULL, seconds = NULL
WHERE sweep_id = $1
  AND id BETWEEN $2 AND $3
  AND state IN ('failed', 'cancelled')
