-- The fence: no row means that the lease is lost, for ever. It compares who calls with whom the
-- attempt was given to. $1 job, $2 attempt, $3 lease until, $4 lease, $5 worker, $6 secret, $7
-- identity of the store.
UPDATE jobs
SET lease_until = CASE WHEN lease_until < $3 THEN $3 ELSE lease_until END
WHERE id = $1
  AND attempt = $2
  AND state = 'running'
  AND EXISTS (SELECT 1
              FROM job_attempts a
              JOIN workers w ON w.id = a.worker_id
              JOIN store s ON s.identity = $7
              WHERE a.job_id = $1
                AND a.attempt = $2
                AND a.lease = $4
                AND w.id = $5
                AND w.secret = $6)
RETURNING trainer,
          epochs,
          (SELECT max(e.step) FROM epochs e WHERE e.job_id = $1 AND e.attempt = $2) AS stored,
          (SELECT a.stop_at FROM job_attempts a WHERE a.job_id = $1 AND a.attempt = $2) AS stop_at
