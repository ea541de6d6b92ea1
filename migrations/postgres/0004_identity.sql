-- Who may write what, and counts that are kept rather than counted.

-- Whatever ends a job meanwhile is waited for: it would end it behind the count.
LOCK TABLE sweeps, jobs, attempts IN SHARE ROW EXCLUSIVE MODE;

-- Every store has an identity of its own, made with it: a worker of another store is not known here.
CREATE TABLE store (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL
);
INSERT INTO store (id, identity) VALUES (1, replace(gen_random_uuid()::text, '-', ''));

-- What a registration answers besides the number; no view shows it. Empty: registered before there were secrets.
ALTER TABLE workers ADD COLUMN secret TEXT NOT NULL DEFAULT '';
-- Whether it has ever been granted a lease. Only those that have not can be forgotten, since attempts name the others.
ALTER TABLE workers ADD COLUMN has_leased BIGINT NOT NULL DEFAULT 1;

-- Made when the lease is granted. A copy of the store has the same identity and counts attempts on its own, but has no
-- lease of the same number.
ALTER TABLE attempts ADD COLUMN lease BIGINT NOT NULL DEFAULT 0;
-- A coordinator of an earlier build, which keeps no counts, can grant no more. Not of the attempts that are there.
ALTER TABLE attempts ADD CONSTRAINT attempts_leased CHECK (outcome IS NOT NULL OR lease <> 0) NOT VALID;
-- When the coordinator decided that the attempt ends early; its worker hears it with the next report.
ALTER TABLE attempts ADD COLUMN stop_at BIGINT;

-- Confusion matrices have as many classes as the dataset; null: not known, of a sweep made before this.
ALTER TABLE sweeps ADD COLUMN classes BIGINT;

-- Jobs that have ended, by state, with their epochs. Changed in the transactions that end jobs, which hold the sweep. Apart
-- from `sweeps`, whose rows hold a whole file and would be written again with it.
CREATE TABLE sweep_counts (
    sweep_id      BIGINT PRIMARY KEY REFERENCES sweeps (id),
    succeeded     BIGINT NOT NULL DEFAULT 0,
    stopped       BIGINT NOT NULL DEFAULT 0,
    diverged      BIGINT NOT NULL DEFAULT 0,
    failed        BIGINT NOT NULL DEFAULT 0,
    cancelled     BIGINT NOT NULL DEFAULT 0,
    -- Epochs that all written jobs ask for, those that the ended ones ask for, and the seconds that the ended ones took.
    epochs        BIGINT NOT NULL DEFAULT 0,
    epochs_ended  BIGINT NOT NULL DEFAULT 0,
    epoch_seconds DOUBLE PRECISION NOT NULL DEFAULT 0
);
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

-- With the sweeps in falling order no other index has the queue's order, so that no planner takes another one whatever its
-- statistics say: with those of a fresh grid it would walk all ended jobs of a sweep to find the first queued one.
DROP INDEX jobs_queued;
CREATE INDEX jobs_queued ON jobs (sweep_id DESC, id) WHERE state = 'queued';
-- The one row of a sweep is changed with every job that ends: room on its page keeps it there.
ALTER TABLE sweep_counts SET (fillfactor = 50);
