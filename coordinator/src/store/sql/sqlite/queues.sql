-- Differs from Postgres: INDEXED BY, since without statistics SQLite would rather read all jobs of
-- a sweep, ended ones too. Active sweeps in the order in which their jobs are handed out: how many
-- are queued, and whether one may be acquired at $1.
SELECT s.id AS sweep_id,
       s.trainer,
       s.trainer_version,
       CAST(max(0, s.jobs_created - c.succeeded - c.stopped - c.diverged - c.failed - c.cancelled
           - (SELECT count(*) FROM jobs r WHERE r.sweep_id = s.id AND r.state = 'running')) AS INTEGER) AS queued,
       CAST(CASE WHEN NOT EXISTS (
            SELECT 1
            FROM jobs h INDEXED BY jobs_hindered
            WHERE h.sweep_id = s.id AND h.state = 'queued' AND h.hindrance = 'artifact' AND h.not_before > $1
       ) AND (
            SELECT j.id
            FROM jobs j INDEXED BY jobs_queued
            WHERE j.sweep_id = s.id AND j.state = 'queued' AND j.not_before <= $1
            ORDER BY j.sweep_id, j.id
            LIMIT 1) IS NOT NULL THEN 1 ELSE 0 END AS BIGINT) AS ready
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
WHERE s.state = 'active'
ORDER BY s.id
