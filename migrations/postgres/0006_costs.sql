-- Importance is worked out beside the results, not with them. When somebody last began to, from how many ended runs the
-- kept one was worked out, and how long that took (in microseconds), so that it takes a small share of the time.
ALTER TABLE sweeps ADD COLUMN importance_tried_at BIGINT;
ALTER TABLE sweeps ADD COLUMN importance_of BIGINT;
ALTER TABLE sweeps ADD COLUMN importance_took BIGINT;

-- No statement uses it, and its random keys cost a third of what writing jobs writes.
DROP INDEX jobs_config;
-- What it counted is kept in sweep_counts.
DROP INDEX jobs_progress;

-- The time that so many microseconds since 1970 mean, as text; none for one that is before. Of a time that cannot be, Postgres
-- would refuse to show any row.
CREATE FUNCTION besom_utc(micros BIGINT) RETURNS TEXT LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN micros >= 0 THEN
    to_char(to_timestamp(micros / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad((micros % 1000000)::text, 6, '0') || 'Z'
END;

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
       j.attempt AS attempts,
       j.error,
       besom_utc(j.started_at) AS started_at,
       besom_utc(j.ended_at) AS ended_at,
       CASE s.objective WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
LEFT JOIN workers w ON w.id = j.worker_id;

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
       besom_utc(s.ended_at) AS ended_at
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
JOIN (SELECT i.id, (SELECT count(*) FROM jobs j WHERE j.sweep_id = i.id AND j.state = 'running') AS running
      FROM sweeps i) r ON r.id = s.id;

CREATE OR REPLACE VIEW worker_status AS
SELECT w.name AS worker,
       w.id AS worker_id,
       CASE WHEN w.left_at IS NULL THEN 'present' ELSE 'left' END AS state,
       w.host,
       w.device,
       w.slots,
       (SELECT count(*) FROM jobs j WHERE j.state = 'running' AND j.worker_id = w.id) AS running,
       w.build,
       besom_utc(w.registered_at) AS registered_at,
       besom_utc(w.last_seen_at) AS last_seen_at
FROM workers w;

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
JOIN importances i ON i.sweep_id = s.id;

-- What is no count, or no list of them, hides no other.
CREATE OR REPLACE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       (v.place - 1) / c.classes AS target,
       (v.place - 1) % c.classes AS predicted,
       CASE jsonb_typeof(v.value)
       WHEN 'number' THEN CASE WHEN v.value::numeric BETWEEN 0 AND 9223372036854775807 THEN v.value::bigint END
       END AS count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN confusions c ON c.job_id = j.id
CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(c.counts) WHEN 'array' THEN c.counts ELSE '[]' END
) WITH ORDINALITY v (value, place);

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
FROM attempts a
JOIN jobs j ON j.id = a.job_id
JOIN sweeps s ON s.id = j.sweep_id
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
ORDER BY s.id DESC, k.rank, j.id;
