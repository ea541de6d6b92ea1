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
