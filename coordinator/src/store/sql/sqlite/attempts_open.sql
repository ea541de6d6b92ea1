-- Only in SQLite: the second half of an acquisition, which Postgres does in jobs_take.sql itself. A job is running
-- without an open attempt only between the two statements of this one transaction.
INSERT INTO attempts (job_id, attempt, worker_id, slot, request_id, started_at)
SELECT j.id, j.attempt, j.worker_id, j.slot, $2, j.started_at
FROM jobs j
WHERE j.state = 'running'
  AND j.worker_id = $1
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.attempt = j.attempt)
