-- Only in SQLite: the second half of an acquisition, which Postgres does in jobs_take.sql itself.
-- $1 worker, $2 request, $3 now, $4 list of [job, attempt, slot, lease].
INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, lease)
SELECT value->>0, value->>1, $1, value->>2, $2, $3, value->>3
FROM json_each($4)
