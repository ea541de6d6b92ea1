-- $1 job, $2 attempt, $3 lease, $4 worker, $5 secret, $6 identity of the store.
SELECT a.outcome
FROM job_attempts a
JOIN workers w ON w.id = a.worker_id
JOIN store s ON s.identity = $6
WHERE a.job_id = $1
  AND a.attempt = $2
  AND a.lease = $3
  AND w.id = $4
  AND w.secret = $5
