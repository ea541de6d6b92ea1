-- What is kept for each sweep, or for sweep $1; only the few running jobs are counted.
SELECT c.sweep_id, s.jobs_created, c.succeeded, c.stopped, c.diverged, c.failed, c.cancelled, c.epochs, c.epochs_ended,
       c.epoch_seconds,
       (SELECT count(*) FROM jobs j WHERE j.sweep_id = c.sweep_id AND j.state = 'running') AS running
FROM sweep_counts c
JOIN sweeps s ON s.id = c.sweep_id
WHERE ($1 IS NULL OR c.sweep_id = $1)
