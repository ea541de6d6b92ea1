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
       CAST(LEAST(9223372036854775807, GREATEST(0, CAST(s.jobs_created AS NUMERIC) - c.succeeded - c.stopped
           - c.diverged - c.failed - c.cancelled - r.running)) AS BIGINT) AS queued,
       r.running,
       c.succeeded,
       c.stopped,
       c.diverged,
       c.failed,
       c.cancelled,
       besom_utc(s.created_at) AS created_at,
       besom_utc(s.ended_at) AS ended_at,
       COALESCE(s.title, s.name) AS title
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
JOIN (SELECT i.id, (SELECT count(*) FROM jobs j WHERE j.sweep_id = i.id AND j.state = 'running') AS running
      FROM sweeps i) r ON r.id = s.id;
