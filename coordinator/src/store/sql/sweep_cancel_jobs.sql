UPDATE jobs
SET state = 'cancelled', lease_until = NULL, ended_at = $2
WHERE sweep_id = $1
  AND state IN ('queued', 'running')
