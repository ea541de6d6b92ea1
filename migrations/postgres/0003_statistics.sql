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
