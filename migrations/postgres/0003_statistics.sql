-- What SQL lacks (square roots, Student's t, analysis of variance) the coordinator works out when runs end and keeps here.

-- One row a configuration with an ended run, by its first job. `swept` holds its values of the sweep's parameters.
CREATE TABLE config_sums (
    sweep_id             BIGINT NOT NULL REFERENCES sweeps (id),
    job_id               BIGINT NOT NULL REFERENCES jobs (id),
    swept                JSONB NOT NULL,
    n                    BIGINT NOT NULL CHECK (n >= 0),
    diverged             BIGINT NOT NULL CHECK (diverged >= 0),
    failed               BIGINT NOT NULL CHECK (failed >= 0),
    final_mean           DOUBLE PRECISION,
    final_deviation      DOUBLE PRECISION,
    final_low            DOUBLE PRECISION,
    final_high           DOUBLE PRECISION,
    best_mean            DOUBLE PRECISION,
    best_deviation       DOUBLE PRECISION,
    best_low             DOUBLE PRECISION,
    best_high            DOUBLE PRECISION,
    mean_seconds         DOUBLE PRECISION,
    objective_mean       DOUBLE PRECISION,
    PRIMARY KEY (sweep_id, job_id),
    CHECK ((n = 0) = (final_mean IS NULL)),
    CHECK ((n = 0) = (best_mean IS NULL))
);

-- Worked out again as a whole. `second` is empty for a hyperparameter by itself; `place` is the order of reading.
CREATE TABLE importances (
    sweep_id    BIGINT NOT NULL REFERENCES sweeps (id),
    place       BIGINT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('variance share', 'range')),
    parameter   TEXT NOT NULL,
    second      TEXT,
    value       DOUBLE PRECISION NOT NULL,
    cells       BIGINT NOT NULL,
    cells_total BIGINT NOT NULL,
    PRIMARY KEY (sweep_id, place)
);

-- When the sweep's importances were last worked out.
ALTER TABLE sweeps ADD COLUMN importance_at BIGINT;
-- Jobs after this one may have ended before there were sums; null: none did. A coordinator adds theirs, batch by batch.
ALTER TABLE sweeps ADD COLUMN unsummed_after BIGINT;
UPDATE sweeps SET unsummed_after = 0;

-- What the rows and columns of a confusion matrix sum up to, so that precision and recall cost one row a class to read.
CREATE TABLE class_counts (
    job_id    BIGINT NOT NULL REFERENCES confusions (job_id),
    class     BIGINT NOT NULL,
    support   BIGINT NOT NULL,
    predicted BIGINT NOT NULL,
    correct   BIGINT NOT NULL,
    PRIMARY KEY (job_id, class)
);

CREATE INDEX jobs_slowest ON jobs (sweep_id, seconds DESC, id) WHERE seconds IS NOT NULL;
CREATE INDEX attempts_bad ON attempts (job_id, attempt) WHERE outcome IN ('failed', 'lost', 'diverged');

CREATE VIEW config_stats AS
SELECT s.name AS sweep,
       c.sweep_id,
       c.job_id AS job,
       j.config_hash,
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
       c.final_mean AS final_val_accuracy_mean,
       c.final_deviation AS final_val_accuracy_deviation,
       c.final_low AS final_val_accuracy_low,
       c.final_high AS final_val_accuracy_high,
       c.best_mean AS best_val_accuracy_mean,
       c.best_deviation AS best_val_accuracy_deviation,
       c.best_low AS best_val_accuracy_low,
       c.best_high AS best_val_accuracy_high,
       c.mean_seconds,
       c.objective_mean
FROM sweeps s
JOIN config_sums c ON c.sweep_id = s.id
JOIN jobs j ON j.id = c.job_id;

CREATE VIEW importance AS
SELECT s.name AS sweep,
       i.sweep_id,
       i.kind,
       i.parameter,
       i.second AS second_parameter,
       i.value,
       i.cells,
       i.cells_total,
       to_char(to_timestamp(s.importance_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((s.importance_at % 1000000)::text, 6, '0') || 'Z' AS computed_at
FROM sweeps s
JOIN importances i ON i.sweep_id = s.id;

CREATE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       (v.place - 1) / c.classes AS target,
       (v.place - 1) % c.classes AS predicted,
       v.value::bigint AS count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN confusions c ON c.job_id = j.id
CROSS JOIN LATERAL jsonb_array_elements(c.counts) WITH ORDINALITY v (value, place);

CREATE VIEW per_class AS
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
JOIN sweeps s ON s.id = j.sweep_id
JOIN class_counts c ON c.job_id = j.id;

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
       to_char(to_timestamp(a.started_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((a.started_at % 1000000)::text, 6, '0') || 'Z' AS started_at,
       to_char(to_timestamp(a.ended_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((a.ended_at % 1000000)::text, 6, '0') || 'Z' AS ended_at
FROM attempts a
JOIN jobs j ON j.id = a.job_id
JOIN sweeps s ON s.id = j.sweep_id
JOIN workers w ON w.id = a.worker_id
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
       to_char(to_timestamp(j.started_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((j.started_at % 1000000)::text, 6, '0') || 'Z' AS started_at,
       to_char(to_timestamp(j.ended_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((j.ended_at % 1000000)::text, 6, '0') || 'Z' AS ended_at,
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
