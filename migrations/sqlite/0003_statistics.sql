-- What SQL lacks (square roots, Student's t, analysis of variance) the coordinator works out when runs end and keeps here.

-- One row a configuration with an ended run, by its first job. `swept` holds its values of the sweep's parameters.
CREATE TABLE config_sums (
    sweep_id             INTEGER NOT NULL REFERENCES sweeps (id),
    job_id               INTEGER NOT NULL REFERENCES jobs (id),
    swept                TEXT NOT NULL,
    n                    INTEGER NOT NULL CHECK (n >= 0),
    diverged             INTEGER NOT NULL CHECK (diverged >= 0),
    failed               INTEGER NOT NULL CHECK (failed >= 0),
    final_mean           REAL,
    final_deviation      REAL,
    final_low            REAL,
    final_high           REAL,
    best_mean            REAL,
    best_deviation       REAL,
    best_low             REAL,
    best_high            REAL,
    mean_seconds         REAL,
    objective_mean       REAL,
    PRIMARY KEY (sweep_id, job_id),
    CHECK ((n = 0) = (final_mean IS NULL)),
    CHECK ((n = 0) = (best_mean IS NULL))
) STRICT, WITHOUT ROWID;

-- Worked out again as a whole. `second` is empty for a hyperparameter by itself; `place` is the order of reading.
CREATE TABLE importances (
    sweep_id    INTEGER NOT NULL REFERENCES sweeps (id),
    place       INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('variance share', 'range')),
    parameter   TEXT NOT NULL,
    second      TEXT,
    value       REAL NOT NULL,
    cells       INTEGER NOT NULL,
    cells_total INTEGER NOT NULL,
    PRIMARY KEY (sweep_id, place)
) STRICT, WITHOUT ROWID;

-- When the sweep's importances were last worked out.
ALTER TABLE sweeps ADD COLUMN importance_at INTEGER;
-- Jobs after this one may have ended before there were sums; null: none did. A coordinator adds theirs, batch by batch.
ALTER TABLE sweeps ADD COLUMN unsummed_after INTEGER;
UPDATE sweeps SET unsummed_after = 0;

-- What the rows and columns of a confusion matrix sum up to, so that precision and recall cost one row a class to read.
CREATE TABLE class_counts (
    job_id    INTEGER NOT NULL REFERENCES confusions (job_id),
    class     INTEGER NOT NULL,
    support   INTEGER NOT NULL,
    predicted INTEGER NOT NULL,
    correct   INTEGER NOT NULL,
    PRIMARY KEY (job_id, class)
) STRICT, WITHOUT ROWID;

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
       strftime('%Y-%m-%dT%H:%M:%S', s.importance_at / 1000000, 'unixepoch') || printf('.%06dZ', s.importance_at % 1000000) AS computed_at
FROM sweeps s
JOIN importances i ON i.sweep_id = s.id;

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
JOIN json_each(c.counts) v;

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
JOIN sweeps s ON s.id = j.sweep_id
JOIN class_counts c ON c.job_id = j.id;

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
FROM attempts a
CROSS JOIN jobs j ON j.id = a.job_id
CROSS JOIN sweeps s ON s.id = j.sweep_id
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
ORDER BY s.id DESC, rank, j.id;
