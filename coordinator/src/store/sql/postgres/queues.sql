-- Differs from SQLite: a range of one sweep in the order of jobs_queued, which no other index has.
-- With an equation the planner may walk the ended jobs by another index, as its statistics of a
-- fresh grid say that there are none. Active sweeps in the order in which their jobs are handed
-- out: how many are queued, and whether one may be acquired at $1. $2 holds the numbers of jobs
-- from which on a look is worth its time, by sweep; starts.rs says why.
SELECT s.id AS sweep_id,
       s.trainer,
       s.trainer_version,
       CAST(LEAST(9223372036854775807, GREATEST(0, CAST(s.jobs_created AS NUMERIC) - c.succeeded - c.stopped - c.diverged
           - c.failed - c.cancelled - (SELECT count(*) FROM jobs r WHERE r.sweep_id = s.id AND r.state = 'running')))
           AS BIGINT) AS queued,
       CAST(CASE WHEN NOT EXISTS (
            SELECT 1
            FROM jobs h
            WHERE h.sweep_id = s.id AND h.state = 'queued' AND h.hindrance = 'artifact' AND h.not_before > $1
       ) AND (
            SELECT j.id
            FROM jobs j
            WHERE j.sweep_id >= s.id AND j.sweep_id <= s.id AND j.state = 'queued' AND j.not_before <= $1
              AND j.id >= COALESCE(($2 ->> s.id::text)::bigint, 0)
            ORDER BY j.sweep_id DESC, j.id
            LIMIT 1) IS NOT NULL THEN 1 ELSE 0 END AS BIGINT) AS ready
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
WHERE s.state = 'active'
ORDER BY s.id
