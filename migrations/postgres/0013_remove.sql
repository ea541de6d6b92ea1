-- A sweep that is removed leaves everybody's sight at once and its rows later, in short transactions that any coordinator
-- goes on with. Meanwhile its state is 'removing', which no view shows. Its name is another one then, so that the name is free.

-- Whoever deletes a job looks for the configurations that begin with it.
CREATE INDEX config_sums_job ON config_sums (job_id);

-- Replaced, not dropped: grants stay. The view that reads another one comes before it, as whoever reads it takes it first.

-- The best 1,000 of each sweep, straight from the index on (sweep_id, score). LATERAL reads it once a sweep; the form
-- that SQLite needs would repeat the subquery for every job here.
CREATE OR REPLACE VIEW best_runs AS
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
       k.rank
FROM sweeps s
CROSS JOIN LATERAL (SELECT q.id, rank() OVER (ORDER BY q.score DESC) AS rank
                    FROM (SELECT t.id, t.score
                          FROM jobs t
                          WHERE t.sweep_id = s.id AND t.score IS NOT NULL
                          ORDER BY t.score DESC NULLS LAST, t.id
                          LIMIT 1000) q) k
JOIN runs r ON r.job = k.id
WHERE s.state <> 'removing'
ORDER BY s.id DESC, k.rank, r.job;

CREATE OR REPLACE VIEW runs AS
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
       w.name AS worker,
       j.attempt AS n_attempts,
       j.error,
       besom_utc(j.started_at) AS started_at,
       besom_utc(j.ended_at) AS ended_at,
       CASE s.objective WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device,
       j.trainer,
       j.metrics
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
LEFT JOIN workers w ON w.id = j.worker_id;

-- The accepted attempt of an ended job, the current one of a running job. A queued job has neither. An attempt that went on
-- from earlier ones has their records up to where it went on, and then its own.
CREATE OR REPLACE VIEW history AS
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

-- From what is kept; only the few running jobs are counted.
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
CREATE OR REPLACE VIEW config_stats AS
SELECT s.name AS sweep,
       c.sweep_id,
       c.job_id AS job,
       encode(j.config_hash, 'hex') AS config_hash,
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

CREATE OR REPLACE VIEW importance AS
SELECT s.name AS sweep,
       i.sweep_id,
       i.kind,
       i.parameter,
       i.second AS second_parameter,
       i.value,
       i.cells,
       i.cells_total,
       besom_utc(s.importance_at) AS computed_at
FROM sweeps s
JOIN importances i ON i.sweep_id = s.id
WHERE s.state <> 'removing';

-- `counts` of `confusions` is a list of all counts, or an object that has those that are not 0 by their places in that list.
-- What is no count, or neither list nor object, hides no other.
CREATE OR REPLACE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       v.place / c.classes AS target,
       v.place % c.classes AS predicted,
       v.count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN confusions c ON c.job_id = j.id
CROSS JOIN LATERAL (
    SELECT p.place,
           CASE jsonb_typeof(p.value)
           WHEN 'number' THEN CASE WHEN p.value::numeric BETWEEN 0 AND 9223372036854775807 THEN p.value::bigint END
           END AS count
    FROM (
        SELECT l.place - 1 AS place, l.value
        FROM jsonb_array_elements(CASE jsonb_typeof(c.counts) WHEN 'array' THEN c.counts ELSE '[]' END)
             WITH ORDINALITY AS l (value, place)
        UNION ALL
        SELECT CASE WHEN o.key ~ '^[0-9]{1,18}$' THEN o.key::bigint END, o.value
        FROM jsonb_each(CASE jsonb_typeof(c.counts) WHEN 'object' THEN c.counts ELSE '{}' END) AS o (key, value)
    ) p
) v
WHERE v.count IS DISTINCT FROM 0;

CREATE OR REPLACE VIEW per_class AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       c.class,
       c.support,
       c.predicted,
       c.correct,
       CASE WHEN c.predicted > 0 THEN CAST(c.correct AS DOUBLE PRECISION) / c.predicted END AS precision,
       CASE WHEN c.support > 0 THEN CAST(c.correct AS DOUBLE PRECISION) / c.support END AS recall
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN class_counts c ON c.job_id = j.id;

CREATE OR REPLACE VIEW attempts AS
SELECT s.name AS sweep,
       j.sweep_id,
       a.job_id AS job,
       a.attempt,
       w.name AS worker,
       a.slot,
       a.outcome,
       a.error,
       besom_utc(a.started_at) AS started_at,
       besom_utc(a.ended_at) AS ended_at,
       a.resumed_from,
       a.resumed_step
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN job_attempts a ON a.job_id = j.id
JOIN workers w ON w.id = a.worker_id;

CREATE OR REPLACE VIEW failures AS
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
       besom_utc(a.started_at) AS started_at,
       besom_utc(a.ended_at) AS ended_at
FROM job_attempts a
JOIN jobs j ON j.id = a.job_id
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN workers w ON w.id = a.worker_id
WHERE a.outcome IN ('failed', 'lost', 'diverged');

-- The slowest 1,000 of each sweep, in the form of best_runs and for its reasons.
CREATE OR REPLACE VIEW slowest AS
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
       besom_utc(j.started_at) AS started_at,
       besom_utc(j.ended_at) AS ended_at,
       k.rank
FROM sweeps s
CROSS JOIN LATERAL (SELECT q.id, rank() OVER (ORDER BY q.seconds DESC) AS rank
                    FROM (SELECT t.id, t.seconds
                          FROM jobs t
                          WHERE t.sweep_id = s.id AND t.seconds IS NOT NULL
                          ORDER BY t.seconds DESC, t.id
                          LIMIT 1000) q) k
JOIN jobs j ON j.id = k.id
LEFT JOIN workers w ON w.id = j.worker_id
WHERE s.state <> 'removing'
ORDER BY s.id DESC, k.rank, j.id;
