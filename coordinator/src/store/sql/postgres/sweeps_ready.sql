-- Only in Postgres, which hands out one sweep at a time: active sweeps of trainers in the versions
-- of the object $1 (only sweep $2, where it is not null) that have a job for $3, in the order in
-- which their jobs are handed out. queues.sql says why the range. $4 holds the numbers of jobs from
-- which on a look is worth its time, by sweep; starts.rs says why. While one job of a sweep waits
-- for the sweep's dataset, no other is handed out to find the same.
SELECT s.id
FROM sweeps s
WHERE s.state = 'active'
  AND s.trainer_version = ($1 ->> s.trainer)::bigint
  AND ($2::bigint IS NULL OR s.id = $2)
  AND NOT EXISTS (SELECT 1
                  FROM jobs h
                  WHERE h.sweep_id = s.id AND h.state = 'queued' AND h.hindrance = 'artifact' AND h.not_before > $3)
  AND (SELECT j.id
       FROM jobs j
       WHERE j.sweep_id >= s.id AND j.sweep_id <= s.id AND j.state = 'queued' AND j.not_before <= $3
         AND j.id >= COALESCE(($4 ->> s.id::text)::bigint, 0)
       ORDER BY j.sweep_id DESC, j.id
       LIMIT 1) IS NOT NULL
ORDER BY s.id
