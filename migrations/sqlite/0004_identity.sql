-- Who may write what, and counts that are kept rather than counted.

-- Every store has an identity of its own, made with it: a worker of another store is not known here.
CREATE TABLE store (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL
) STRICT;
INSERT INTO store (id, identity) VALUES (1, lower(hex(randomblob(16))));

-- What a registration answers besides the number; no view shows it. Empty: registered before there were secrets.
ALTER TABLE workers ADD COLUMN secret TEXT NOT NULL DEFAULT '';
-- Whether it has ever been granted a lease. Only those that have not can be forgotten, since attempts name the others.
ALTER TABLE workers ADD COLUMN has_leased INTEGER NOT NULL DEFAULT 1;

-- Made when the lease is granted. A copy of the store has the same identity and counts attempts on its own, but has no
-- lease of the same number.
ALTER TABLE attempts ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
-- When the coordinator decided that the attempt ends early; its worker hears it with the next report.
ALTER TABLE attempts ADD COLUMN stop_at INTEGER;

-- Confusion matrices have as many classes as the dataset; null: not known, of a sweep made before this.
ALTER TABLE sweeps ADD COLUMN classes INTEGER;

-- Jobs that have ended, by state, with their epochs. Changed in the transactions that end jobs, which hold the sweep. Apart
-- from `sweeps`, whose rows hold a whole file and would be written again with it.
CREATE TABLE sweep_counts (
    sweep_id      INTEGER PRIMARY KEY REFERENCES sweeps (id),
    succeeded     INTEGER NOT NULL DEFAULT 0,
    stopped       INTEGER NOT NULL DEFAULT 0,
    diverged      INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    -- Epochs that all written jobs ask for, those that the ended ones ask for, and the seconds that the ended ones took.
    epochs        INTEGER NOT NULL DEFAULT 0,
    epochs_ended  INTEGER NOT NULL DEFAULT 0,
    epoch_seconds REAL NOT NULL DEFAULT 0
) STRICT;
INSERT INTO sweep_counts (
    sweep_id, succeeded, stopped, diverged, failed, cancelled, epochs, epochs_ended, epoch_seconds
)
SELECT s.id,
       count(*) FILTER (WHERE j.state = 'succeeded'),
       count(*) FILTER (WHERE j.state = 'stopped'),
       count(*) FILTER (WHERE j.state = 'diverged'),
       count(*) FILTER (WHERE j.state = 'failed'),
       count(*) FILTER (WHERE j.state = 'cancelled'),
       COALESCE(sum(j.epochs), 0),
       COALESCE(sum(j.epochs) FILTER (WHERE j.state NOT IN ('queued', 'running')), 0),
       -- Earlier builds took any number, also those whose sum is beyond the type.
       COALESCE(sum(CASE WHEN j.epoch_seconds BETWEEN 0 AND 1e15 THEN j.epoch_seconds ELSE 0 END)
                FILTER (WHERE j.state NOT IN ('queued', 'running')), 0.0)
FROM sweeps s
LEFT JOIN jobs j ON j.sweep_id = s.id
GROUP BY s.id;

-- A worker's running jobs, so that no acquisition looks at those of all workers.
CREATE INDEX jobs_of_worker ON jobs (worker_id) WHERE state = 'running';
