-- Differs from SQLite: SKIP LOCKED lets several coordinators acquire side by side, and the attempts are opened in the
-- same statement. MATERIALIZED, because a plan that runs the LIMIT again could take more jobs than asked for.
-- $1 worker, $2 trainer version, $3 sweep or null, $4 now, $5 lease until, $6 list of slots, $7 request.
WITH picked AS MATERIALIZED (
    SELECT j.id, j.sweep_id
    FROM sweeps s
    JOIN jobs j ON j.sweep_id = s.id
    WHERE s.state = 'active'
      AND s.trainer_version = $2
      AND ($3::bigint IS NULL OR s.id = $3)
      AND j.state = 'queued'
      AND j.not_before <= $4
    ORDER BY s.id, j.id
    LIMIT jsonb_array_length($6)
    FOR UPDATE OF j SKIP LOCKED
),
given AS (
    SELECT placed.id, free.slot::bigint AS slot
    FROM (SELECT id, row_number() OVER (ORDER BY sweep_id, id) AS place FROM picked) placed
    JOIN jsonb_array_elements($6) WITH ORDINALITY AS free (slot, place) ON free.place = placed.place
),
taken AS (
    UPDATE jobs
    SET state = 'running', attempt = attempt + 1, worker_id = $1, slot = given.slot, lease_until = $5, started_at = $4
    FROM given
    WHERE jobs.id = given.id
    RETURNING jobs.id, jobs.attempt, jobs.slot
)
INSERT INTO attempts (job_id, attempt, worker_id, slot, request_id, started_at)
SELECT id, attempt, $1, slot, $7, $4
FROM taken
