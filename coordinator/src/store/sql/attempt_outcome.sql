-- What is left of a sweep that is being removed answers like what is gone.
-- $1 job, $2 attempt, $3 lease, $4 worker, $5 secret, $6 identity of the store.
SELECT a.outcome
FROM job_attempts a
JOIN jobs j ON j.id = a.job_id
JOIN sweeps p ON p.id = j.sweep_id AND p.state <> 'removing'
JOIN workers w ON w.id = a.worker_id
JOIN store s ON s.identity = $6
WHERE a.job_id = $1
  AND a.attempt = $2
  AND a.lease = $3
  AND w.id = $4
  AND w.secret = $5
