-- Importance is worked out beside the results, not with them. When somebody last began to, from how many ended runs the
-- kept one was worked out, and how long that took (in microseconds), so that it takes a small share of the time.
ALTER TABLE sweeps ADD COLUMN importance_tried_at INTEGER;
ALTER TABLE sweeps ADD COLUMN importance_of INTEGER;
ALTER TABLE sweeps ADD COLUMN importance_took INTEGER;

-- No statement uses it, and its random keys cost a third of what writing jobs writes.
DROP INDEX jobs_config;
-- What it counted is kept in sweep_counts.
DROP INDEX jobs_progress;

-- Without statistics SQLite takes the youngest of the indexes that would do. Where a question asks for more than an index
-- has, this one leads to the rows in the order in which they lie in the file; jobs_score would lead all over it.
DROP INDEX jobs_sweep;
CREATE INDEX jobs_sweep ON jobs (sweep_id, id);

-- The worker is looked up where it is asked for: unlike Postgres, SQLite would join it only to count rows.
DROP VIEW runs;
CREATE VIEW runs AS
SELECT s.name AS sweep,
       j.sweep_id,
       j.id AS job,
       j.state,
       j.optimizer,
       j.learning_rate,
       j.batch_size,
       j.epochs,
       j.hidden,
       j.activation,
       j.dropout,
       j.params,
       j.seed,
       j.objective,
       j.final_loss,
       j.final_accuracy,
       j.final_val_loss,
       j.final_val_accuracy,
       j.best_val_loss,
       j.best_val_accuracy,
       j.best_epoch,
       j.epochs_done,
       j.seconds,
       (SELECT w.name FROM workers w WHERE w.id = j.worker_id) AS worker,
       j.attempt AS attempts,
       j.error,
       strftime('%Y-%m-%dT%H:%M:%S', j.started_at / 1000000, 'unixepoch') || printf('.%06dZ', j.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', j.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', j.ended_at % 1000000) AS ended_at,
       CASE s.objective WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id;

-- From what is kept; only the few running jobs are counted.
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
       strftime('%Y-%m-%dT%H:%M:%S', s.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', s.ended_at % 1000000) AS ended_at
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
JOIN (SELECT i.id, (SELECT count(*) FROM jobs j WHERE j.sweep_id = i.id AND j.state = 'running') AS running
      FROM sweeps i) r ON r.id = s.id;

-- What is no JSON hides no other.
DROP VIEW confusion;
CREATE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       v.key / c.classes AS target,
       v.key % c.classes AS predicted,
       v.value AS count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN confusions c ON c.job_id = j.id
JOIN json_each(CASE WHEN json_valid(c.counts) THEN c.counts ELSE '[]' END) v;
