-- The fence of what ends an attempt: no row means that the lease is lost, for ever. It compares who
-- calls with whom the attempt was given to and, where a result comes with the hash of its
-- configuration, that with the job's. Only running jobs have a deadline; asked by the state SQLite
-- may look through all that run, once it has statistics. $1 job, $2 attempt, $3 lease, $4 worker,
-- $5 secret, $6 identity of the store, $7 hash or null.
SELECT j.id AS job, j.sweep_id, j.failures, j.lost_attempts, j.hindrances, j.error, j.trainer,
       j.params, j.epochs, a.stop_at, s.metric, s.goal, s.scored_epoch, s.keep_models,
       s.classes
FROM jobs j
JOIN job_attempts a ON a.job_id = j.id AND a.attempt = j.attempt
JOIN workers w ON w.id = a.worker_id
JOIN store t ON t.identity = $6
JOIN sweeps s ON s.id = j.sweep_id
WHERE j.id = $1
  AND j.attempt = $2
  AND j.lease_until IS NOT NULL
  AND a.lease = $3
  AND w.id = $4
  AND w.secret = $5
  AND (j.config_hash = $7 OR $7 IS NULL)
