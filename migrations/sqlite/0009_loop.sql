-- The name as it was given, where it is more than the handle that `name` holds.
ALTER TABLE sweeps ADD COLUMN title TEXT;
-- How often the sweep was opened again, so that nobody keeps what was worked out from runs that have been taken back since.
ALTER TABLE sweeps ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0;

DROP VIEW sweep_progress;
CREATE VIEW sweep_progress AS
SELECT s.name AS sweep,
       s.id AS sweep_id,
       s.state,
       s.jobs_total,
       s.jobs_created,
       CAST(max(0, s.jobs_created - c.succeeded - c.stopped - c.diverged - c.failed - c.cancelled - r.running) AS INTEGER) AS queued,
       r.running,
       c.succeeded,
       c.stopped,
       c.diverged,
       c.failed,
       c.cancelled,
       strftime('%Y-%m-%dT%H:%M:%S', s.created_at / 1000000, 'unixepoch') || printf('.%06dZ', s.created_at % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', s.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', s.ended_at % 1000000) AS ended_at,
       COALESCE(s.title, s.name) AS title
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
JOIN (SELECT i.id, (SELECT count(*) FROM jobs j WHERE j.sweep_id = i.id AND j.state = 'running') AS running
      FROM sweeps i) r ON r.id = s.id;
