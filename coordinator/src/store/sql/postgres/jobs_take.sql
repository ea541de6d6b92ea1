-- Differs from SQLite: one sweep at a time, SKIP LOCKED lets several coordinators acquire side by
-- side, and the attempts are opened in the same statement. MATERIALIZED, because a plan that runs
-- the LIMIT again could take more jobs than asked for. The range of one sweep is in the order of
-- jobs_queued, which no other index has; queues.sql says why. $1 worker, $2 sweep, $3 now, $4 lease
-- until, $5 list of [slot, lease], $6 request, $7 the first job that is worth a look (starts.rs
-- says why).
WITH picked AS MATERIALIZED (
    SELECT j.id
    FROM jobs j
    WHERE j.sweep_id >= $2
      AND j.sweep_id <= $2
      AND j.id >= $7
      AND j.state = 'queued'
      AND j.not_before <= $3
      -- It may have been paused since sweeps_ready.sql found it.
      AND EXISTS (SELECT 1 FROM sweeps s WHERE s.id = $2 AND s.state = 'active')
    ORDER BY j.sweep_id DESC, j.id
    LIMIT jsonb_array_length($5)
    FOR UPDATE OF j SKIP LOCKED
),
given AS (
    SELECT placed.id, (free.value->>0)::bigint AS slot, (free.value->>1)::bigint AS lease
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM picked) placed
    JOIN jsonb_array_elements($5) WITH ORDINALITY AS free (value, place) ON free.place = placed.place
),
taken AS (
    UPDATE jobs
    SET state = 'running', attempt = attempt + 1, worker_id = $1, slot = given.slot, lease_until = $4, started_at = $3
    FROM given
    WHERE jobs.id = given.id
    RETURNING jobs.id, jobs.attempt, jobs.slot, given.lease
)
INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, lease)
SELECT id, attempt, $1, slot, $6, $3, lease
FROM taken
RETURNING job_id
