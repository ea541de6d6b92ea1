-- The name as it was given, where it is more than the handle that `name` holds.
ALTER TABLE sweeps ADD COLUMN title TEXT;
-- How often the sweep was opened again, so that nobody keeps what was worked out from runs that have been taken back since.
ALTER TABLE sweeps ADD COLUMN reopened BIGINT NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW sweep_progress AS
SELECT s.name AS sweep,
       s.id AS sweep_id,
       s.state,
       s.jobs_total,
       s.jobs_created,
       s.jobs_created - c.succeeded - c.stopped - c.diverged - c.failed - c.cancelled - r.running AS queued,
       r.running,
       c.succeeded,
       c.stopped,
       c.diverged,
       c.failed,
       c.cancelled,
       to_char(to_timestamp(s.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((s.created_at % 1000000)::text, 6, '0') || 'Z' AS created_at,
       to_char(to_timestamp(s.ended_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((s.ended_at % 1000000)::text, 6, '0') || 'Z' AS ended_at,
       COALESCE(s.title, s.name) AS title
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
JOIN (SELECT i.id, (SELECT count(*) FROM jobs j WHERE j.sweep_id = i.id AND j.state = 'running') AS running
      FROM sweeps i) r ON r.id = s.id;
