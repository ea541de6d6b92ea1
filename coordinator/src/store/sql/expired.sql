SELECT j.id AS job, j.attempt, j.sweep_id, j.failures, j.lost_attempts, j.epochs, j.lease_until, w.name AS worker,
       w.last_seen_at
FROM jobs j
JOIN workers w ON w.id = j.worker_id
WHERE j.state = 'running'
  AND j.lease_until <= $1
ORDER BY j.sweep_id, j.id
LIMIT $2
