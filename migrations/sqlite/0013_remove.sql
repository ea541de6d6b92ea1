-- A sweep that is removed leaves everybody's sight at once and its rows later, in short transactions that any coordinator
-- goes on with. Meanwhile its state is 'removing', which no view shows. Its name is another one then, so that the name is free.

-- Whoever deletes a job looks for the configurations that begin with it.
CREATE INDEX config_sums_job ON config_sums (job_id);

DROP VIEW best_runs;
DROP VIEW runs;
DROP VIEW history;
DROP VIEW sweep_progress;
DROP VIEW config_stats;
DROP VIEW importance;
DROP VIEW confusion;
DROP VIEW per_class;
DROP VIEW attempts;
DROP VIEW failures;
DROP VIEW slowest;

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
       j.attempt AS n_attempts,
       j.error,
       strftime('%Y-%m-%dT%H:%M:%S', j.started_at / 1000000, 'unixepoch') || printf('.%06dZ', j.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', j.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', j.ended_at % 1000000) AS ended_at,
       CASE s.objective WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device,
       j.trainer,
       j.metrics
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing';

-- The accepted attempt of an ended job, the current one of a running job. A queued job has neither. An attempt that went on
-- from earlier ones has their records up to where it went on, and then its own.
CREATE VIEW history AS
SELECT s.name AS sweep,
       e.job_id AS job,
       e.step AS epoch,
       e.loss,
       e.accuracy,
       e.val_loss,
       e.val_accuracy,
       e.learning_rate,
       e.seconds,
       e.metrics,
       e.step
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN job_attempts a ON a.job_id = j.id AND a.attempt = j.attempt
JOIN epochs e ON e.job_id = a.job_id AND e.attempt = a.attempt AND e.step > COALESCE(a.resumed_step, -1)
WHERE j.state <> 'queued'
UNION ALL
SELECT s.name AS sweep,
       e.job_id AS job,
       e.step AS epoch,
       e.loss,
       e.accuracy,
       e.val_loss,
       e.val_accuracy,
       e.learning_rate,
       e.seconds,
       e.metrics,
       e.step
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN attempt_sources r ON r.job_id = j.id AND r.attempt = j.attempt
JOIN job_attempts a ON a.job_id = r.job_id AND a.attempt = r.source
JOIN epochs e ON e.job_id = a.job_id AND e.attempt = a.attempt AND e.step <= r.last_step
             AND e.step > COALESCE(a.resumed_step, -1)
WHERE j.state <> 'queued';

-- The best 1,000 of each sweep, straight from the index on (sweep_id, score). The window is partitioned by the name,
-- since only a filter on the partition is pushed below it. Postgres has another form: this one repeats the subquery
-- for every job there.
CREATE VIEW best_runs AS
SELECT s.name AS sweep,
       s.id AS sweep_id,
       r.job,
       r.state,
       r.optimizer,
       r.learning_rate,
       r.batch_size,
       r.epochs,
       r.hidden,
       r.activation,
       r.dropout,
       r.params,
       r.seed,
       r.objective,
       r.final_loss,
       r.final_accuracy,
       r.final_val_loss,
       r.final_val_accuracy,
       r.best_val_loss,
       r.best_val_accuracy,
       r.best_epoch,
       r.epochs_done,
       r.seconds,
       r.worker,
       r.n_attempts,
       r.error,
       r.started_at,
       r.ended_at,
       r.model,
       r.dataset,
       r.engine,
       r.device,
       r.trainer,
       r.metrics,
       rank() OVER (PARTITION BY s.name ORDER BY j.score DESC) AS rank
FROM sweeps s
JOIN jobs j ON j.id IN (SELECT t.id
                        FROM jobs t
                        WHERE t.sweep_id = s.id AND t.score IS NOT NULL
                        ORDER BY t.score DESC, t.id
                        LIMIT 1000)
JOIN runs r ON r.job = j.id
WHERE s.state <> 'removing'
ORDER BY s.id DESC, rank, j.id;

-- From what is kept; only the few running jobs are counted.
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
       COALESCE(s.title, s.name) AS title,
       s.trainer,
       s.labels,
       s.created_by
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
JOIN (SELECT i.id, (SELECT count(*) FROM jobs j WHERE j.sweep_id = i.id AND j.state = 'running') AS running
      FROM sweeps i) r ON r.id = s.id
WHERE s.state <> 'removing';

-- The job is always there: the outer join lets the planners leave it out where a query asks for numbers only.
CREATE VIEW config_stats AS
SELECT s.name AS sweep,
       c.sweep_id,
       c.job_id AS job,
       lower(hex(j.config_hash)) AS config_hash,
       j.optimizer,
       j.learning_rate,
       j.batch_size,
       j.epochs,
       j.hidden,
       j.activation,
       j.dropout,
       j.params,
       c.n,
       c.diverged,
       c.failed,
       c.mean,
       c.std,
       c.low,
       c.high,
       c.final_mean AS final_val_accuracy_mean,
       c.final_std AS final_val_accuracy_std,
       c.final_low AS final_val_accuracy_low,
       c.final_high AS final_val_accuracy_high,
       c.best_mean AS best_val_accuracy_mean,
       c.best_std AS best_val_accuracy_std,
       c.best_low AS best_val_accuracy_low,
       c.best_high AS best_val_accuracy_high,
       c.mean_seconds,
       j.trainer
FROM sweeps s
JOIN config_sums c ON c.sweep_id = s.id
LEFT JOIN jobs j ON j.id = c.job_id
WHERE s.state <> 'removing';

CREATE VIEW importance AS
SELECT s.name AS sweep,
       i.sweep_id,
       i.kind,
       i.parameter,
       i.second AS second_parameter,
       i.value,
       i.cells,
       i.cells_total,
       strftime('%Y-%m-%dT%H:%M:%S', s.importance_at / 1000000, 'unixepoch') || printf('.%06dZ', s.importance_at % 1000000) AS computed_at
FROM sweeps s
JOIN importances i ON i.sweep_id = s.id
WHERE s.state <> 'removing';

-- `counts` of `confusions` is a list of all counts, or an object that has those that are not 0 by their places in that list.
-- What is no JSON hides no other.
CREATE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       CAST(v.key AS INTEGER) / c.classes AS target,
       CAST(v.key AS INTEGER) % c.classes AS predicted,
       v.value AS count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN confusions c ON c.job_id = j.id
JOIN json_each(CASE WHEN json_valid(c.counts) THEN c.counts ELSE '[]' END) v ON v.value IS NOT 0;

CREATE VIEW per_class AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       c.class,
       c.support,
       c.predicted,
       c.correct,
       CASE WHEN c.predicted > 0 THEN CAST(c.correct AS REAL) / c.predicted END AS precision,
       CASE WHEN c.support > 0 THEN CAST(c.correct AS REAL) / c.support END AS recall
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN class_counts c ON c.job_id = j.id;

CREATE VIEW attempts AS
SELECT s.name AS sweep,
       j.sweep_id,
       a.job_id AS job,
       a.attempt,
       w.name AS worker,
       a.slot,
       a.outcome,
       a.error,
       strftime('%Y-%m-%dT%H:%M:%S', a.started_at / 1000000, 'unixepoch') || printf('.%06dZ', a.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', a.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', a.ended_at % 1000000) AS ended_at,
       a.resumed_from,
       a.resumed_step
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN job_attempts a ON a.job_id = j.id
JOIN workers w ON w.id = a.worker_id;

-- From the few attempts that ended badly to their jobs: CROSS JOIN keeps the planner from the other way round, which
-- would look at every job.
CREATE VIEW failures AS
SELECT s.name AS sweep,
       j.sweep_id,
       a.job_id AS job,
       a.attempt,
       a.outcome,
       j.state,
       j.optimizer,
       j.learning_rate,
       j.batch_size,
       j.seed,
       w.name AS worker,
       a.slot,
       COALESCE(a.error, CASE a.outcome WHEN 'diverged' THEN 'the loss was not finite' END) AS error,
       strftime('%Y-%m-%dT%H:%M:%S', a.started_at / 1000000, 'unixepoch') || printf('.%06dZ', a.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', a.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', a.ended_at % 1000000) AS ended_at
FROM job_attempts a
CROSS JOIN jobs j ON j.id = a.job_id
CROSS JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
CROSS JOIN workers w ON w.id = a.worker_id
WHERE a.outcome IN ('failed', 'lost', 'diverged');

-- The slowest 1,000 of each sweep, in the form of best_runs and for its reasons.
CREATE VIEW slowest AS
SELECT s.name AS sweep,
       s.id AS sweep_id,
       j.id AS job,
       j.state,
       j.optimizer,
       j.learning_rate,
       j.batch_size,
       j.epochs,
       j.hidden,
       j.seed,
       j.epochs_done,
       j.seconds,
       j.seconds / NULLIF(j.epochs_done, 0) AS seconds_per_epoch,
       (SELECT c.mean_seconds
        FROM jobs f
        JOIN config_sums c ON c.sweep_id = f.sweep_id AND c.job_id = f.id
        WHERE f.sweep_id = j.sweep_id AND f.config_hash = j.config_hash) AS mean_seconds,
       w.name AS worker,
       strftime('%Y-%m-%dT%H:%M:%S', j.started_at / 1000000, 'unixepoch') || printf('.%06dZ', j.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', j.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', j.ended_at % 1000000) AS ended_at,
       rank() OVER (PARTITION BY s.name ORDER BY j.seconds DESC) AS rank
FROM sweeps s
JOIN jobs j ON j.id IN (SELECT t.id
                        FROM jobs t
                        WHERE t.sweep_id = s.id AND t.seconds IS NOT NULL
                        ORDER BY t.seconds DESC, t.id
                        LIMIT 1000)
LEFT JOIN workers w ON w.id = j.worker_id
WHERE s.state <> 'removing'
ORDER BY s.id DESC, rank, j.id;
