-- Only in SQLite, whose clock is the coordinator's own: it must not start before anything that is
-- stored.
SELECT max(at)
FROM (SELECT max(created_at) AS at FROM sweeps
      UNION ALL SELECT max(ended_at) FROM sweeps
      UNION ALL SELECT max(last_seen_at) FROM workers
      UNION ALL SELECT max(started_at) FROM job_attempts
      UNION ALL SELECT max(ended_at) FROM job_attempts
      UNION ALL SELECT max(created_at) FROM artifacts)
