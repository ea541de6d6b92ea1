-- The shape of a run is data: a trainer, parameters by name and metrics by name. The columns of the
-- perceptron stay, since people query them and SQLite sums up JSON ten times slower; they are null
-- where a trainer has no such thing.
--
-- SQLite can drop neither NOT NULL nor CHECK, so the tables are written anew, all in one
-- transaction. The connection has foreign keys off. Numbers are AUTOINCREMENT from now on: a number
-- that was given is never given again, as (job, attempt) is the fencing token. What a column may
-- hold is checked by the coordinator, which knows what a trainer may say.

DROP VIEW best_runs;
DROP VIEW runs;
DROP VIEW history;
DROP VIEW sweep_progress;
DROP VIEW worker_status;
DROP VIEW config_stats;
DROP VIEW importance;
DROP VIEW confusion;
DROP VIEW per_class;
DROP VIEW failures;
DROP VIEW slowest;

CREATE TABLE new_sweeps (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL UNIQUE,
    -- The name as it was given, where it is more than the handle that `name` holds.
    title               TEXT,
    -- A JSON object of texts.
    labels              TEXT NOT NULL DEFAULT '{}',
    created_by          TEXT,
    -- A sweep that is removed leaves everybody's sight at once and its rows later, in short
    -- transactions that any coordinator goes on with. Meanwhile its state is 'removing', which no
    -- view shows. Its name is another one then, so that the name is free.
    state               TEXT NOT NULL,
    trainer             TEXT NOT NULL,
    trainer_version     INTEGER NOT NULL,
    method              TEXT NOT NULL,
    metric              TEXT NOT NULL,
    goal                TEXT NOT NULL CHECK (goal IN ('maximize', 'minimize')),
    scored_epoch        TEXT NOT NULL CHECK (scored_epoch IN ('final', 'best')),
    keep_models         TEXT NOT NULL CHECK (keep_models IN ('all', 'best', 'none')),
    engine              TEXT,
    dataset             TEXT NOT NULL,
    dataset_source      TEXT NOT NULL,
    dataset_sha256      TEXT NOT NULL,
    -- Confusion matrices have as many classes as the dataset; null: not known.
    classes             INTEGER,
    swept               TEXT NOT NULL,
    -- Null: nobody knows beforehand; a rule ends the sweep.
    jobs_total          INTEGER CHECK (jobs_total >= 1),
    jobs_created        INTEGER NOT NULL DEFAULT 0 CHECK (jobs_created >= 0),
    created_at          INTEGER NOT NULL,
    ended_at            INTEGER,
    -- When importance was worked out, when somebody last tried, from how many runs, and how long it
    -- took in microseconds.
    importance_at       INTEGER,
    importance_tried_at INTEGER,
    importance_of       INTEGER,
    importance_took     INTEGER,
    -- Jobs after this one may have ended before there were sums of them; null: none did.
    unsummed_after      INTEGER,
    -- How often the sweep was opened again.
    reopened            INTEGER NOT NULL DEFAULT 0,
    digest              TEXT NOT NULL,
    -- The file, as it was submitted.
    text                TEXT NOT NULL,
    -- What the file asks for, as it was checked when the sweep was made: canonical JSON, which is
    -- read without another look at the file. Null in sweeps of before, whose file is read instead.
    spec                TEXT,
    -- What the configurations of its jobs have in common: a JSON object. The rest of each is in its
    -- job, so that a million jobs do not say the same a million times.
    shared_config       TEXT NOT NULL,
    CHECK (jobs_total IS NULL OR jobs_created <= jobs_total),
    CHECK ((state IN ('completed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (state <> 'completed' OR jobs_created = jobs_total)
) STRICT;
INSERT INTO new_sweeps (
    id, name, title, state, trainer, trainer_version, method, metric, goal, scored_epoch, keep_models, engine, dataset,
    dataset_source, dataset_sha256, classes, swept, jobs_total, jobs_created, created_at, ended_at, importance_at,
    importance_tried_at, importance_of, importance_took, unsummed_after, reopened, digest, text, shared_config
)
SELECT id, name, title, state, 'mlp', trainer_version, method, metric, goal, objective, keep_models, engine, dataset,
       dataset_source, dataset_sha256, classes, swept, jobs_total, jobs_created, created_at, ended_at, importance_at,
       importance_tried_at, importance_of, importance_took,
       -- The interval of an objective that is no accuracy was not kept: it is worked out again.
       CASE WHEN metric = 'val_accuracy' THEN unsummed_after ELSE 0 END,
       reopened, digest, text,
       json_object('dataset', dataset, 'scaling', 'training_maximum', 'trainer', 'mlp', 'trainer_version', trainer_version)
FROM sweeps
ORDER BY id;

CREATE TABLE new_workers (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    instance      TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    host          TEXT NOT NULL,
    device        TEXT NOT NULL,
    slots         INTEGER NOT NULL,
    build         TEXT NOT NULL,
    -- What it executes: a JSON object of versions by the names of trainers.
    trainers      TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    left_at       INTEGER,
    -- After so many microseconds without a call it counts as gone; null: it registered before this
    -- was kept.
    gone_after    INTEGER,
    -- Whether it has ever been granted a lease. Only those that have not can be forgotten, since
    -- attempts name the others.
    has_leased    INTEGER NOT NULL DEFAULT 1,
    -- What a registration answers besides the number; no view shows it.
    secret        TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO new_workers (
    id, instance, name, host, device, slots, build, trainers, registered_at, last_seen_at, left_at, gone_after, has_leased,
    secret
)
SELECT id, instance, name, host, device, slots, build, json_object('mlp', trainer_version), registered_at, last_seen_at,
       left_at, gone_after, has_leased, secret
FROM workers
ORDER BY id;

-- What is asked for most stands first and is short; a reader of numbers stops before the texts.
CREATE TABLE new_jobs (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep_id           INTEGER NOT NULL REFERENCES sweeps (id),
    -- Where it stands. `attempt` is the number of the latest attempt and the fencing token: it only
    -- grows.
    state              TEXT NOT NULL,
    attempt            INTEGER NOT NULL DEFAULT 0,
    worker_id          INTEGER REFERENCES workers (id),
    slot               INTEGER,
    lease_until        INTEGER,
    not_before         INTEGER NOT NULL DEFAULT 0,
    failures           INTEGER NOT NULL DEFAULT 0,
    lost_attempts      INTEGER NOT NULL DEFAULT 0,
    -- What keeps it from being executed that is no fault of its own, and how often in a row.
    -- `error` says it in words.
    hindrance          TEXT,
    hindrances         INTEGER NOT NULL DEFAULT 0,
    started_at         INTEGER,
    ended_at           INTEGER,
    -- What to execute.
    seed               INTEGER NOT NULL,
    trainer            TEXT NOT NULL,
    engine             TEXT,
    device             TEXT,
    optimizer          TEXT,
    learning_rate      REAL,
    batch_size         INTEGER,
    epochs             INTEGER,
    hidden             TEXT,
    activation         TEXT,
    dropout            REAL,
    -- What came out, worked out when the job ends.
    objective          REAL,
    score              REAL,
    final_loss         REAL,
    final_accuracy     REAL,
    final_val_loss     REAL,
    final_val_accuracy REAL,
    best_val_loss      REAL,
    best_val_accuracy  REAL,
    best_epoch         INTEGER,
    epochs_done        INTEGER,
    epoch_seconds      REAL,
    seconds            REAL,
    final_model        TEXT REFERENCES artifacts (digest),
    best_model         TEXT REFERENCES artifacts (digest),
    -- SHA-256 of the configuration.
    config_hash        BLOB NOT NULL CHECK (length(config_hash) = 32),
    error              TEXT,
    -- A JSON object of the last values of metrics that have no column.
    metrics            TEXT NOT NULL DEFAULT '{}',
    params             TEXT NOT NULL,
    UNIQUE (sweep_id, config_hash, seed),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK (state <> 'running'
           OR (worker_id IS NOT NULL AND slot IS NOT NULL AND started_at IS NOT NULL AND attempt >= 1)),
    CHECK (state <> 'queued' OR (worker_id IS NULL AND slot IS NULL AND started_at IS NULL)),
    CHECK ((state IN ('succeeded', 'stopped', 'diverged', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (score IS NULL OR state IN ('succeeded', 'stopped')),
    CHECK ((score IS NULL) = (objective IS NULL))
) STRICT;
INSERT INTO new_jobs (
    id, sweep_id, state, attempt, worker_id, slot, lease_until, not_before, failures, lost_attempts, hindrance, hindrances,
    started_at, ended_at, seed, trainer, engine, device, optimizer, learning_rate, batch_size, epochs, hidden, activation,
    dropout, objective, score, final_loss, final_accuracy, final_val_loss, final_val_accuracy, best_val_loss,
    best_val_accuracy, best_epoch, epochs_done, epoch_seconds, seconds, final_model, best_model, config_hash, error, params
)
SELECT id, sweep_id, state, attempt, worker_id, slot, lease_until, not_before, failures, losses, hindrance, hindrances,
       started_at, ended_at, seed, trainer, engine, device, optimizer, learning_rate, batch_size, epochs, hidden, activation,
       dropout, objective, score, final_loss, final_accuracy, final_val_loss, final_val_accuracy, best_val_loss,
       best_val_accuracy, best_epoch, epochs_done, epoch_seconds, seconds, final_model, best_model, unhex(config_hash),
       error, params
FROM jobs
ORDER BY id;

CREATE TABLE job_attempts (
    job_id       INTEGER NOT NULL REFERENCES jobs (id),
    attempt      INTEGER NOT NULL CHECK (attempt >= 1),
    worker_id    INTEGER NOT NULL REFERENCES workers (id),
    slot         INTEGER NOT NULL,
    request_id   TEXT NOT NULL,
    -- Made when the lease is granted: a copy of the store counts attempts on its own, but has no
    -- lease of the same number.
    lease        INTEGER NOT NULL DEFAULT 0,
    started_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    -- When the coordinator decided that the attempt ends early; its worker hears it with the next
    -- report.
    stop_at      INTEGER,
    -- The earlier attempt that this one goes on from, and the last of its steps that counts.
    resumed_from INTEGER,
    resumed_step INTEGER,
    outcome      TEXT,
    error        TEXT,
    PRIMARY KEY (job_id, attempt),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK ((resumed_from IS NULL) = (resumed_step IS NULL)),
    CHECK (resumed_from < attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO job_attempts (
    job_id, attempt, worker_id, slot, request_id, lease, started_at, ended_at, stop_at, outcome, error
)
SELECT job_id, attempt, worker_id, slot, request_id, lease, started_at, ended_at, stop_at, outcome, error
FROM attempts
ORDER BY job_id, attempt;

CREATE TABLE new_epochs (
    job_id        INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    -- Ascending, with gaps where a trainer leaves some; the perceptron's are its epochs, from 1.
    step          INTEGER NOT NULL CHECK (step >= 0),
    loss          REAL,
    accuracy      REAL,
    val_loss      REAL,
    val_accuracy  REAL,
    learning_rate REAL,
    seconds       REAL,
    metrics       TEXT NOT NULL,
    PRIMARY KEY (job_id, attempt, step),
    FOREIGN KEY (job_id, attempt) REFERENCES job_attempts (job_id, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO new_epochs (
    job_id, attempt, step, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, metrics
)
SELECT job_id, attempt, epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, metrics
FROM epochs
ORDER BY job_id, attempt, epoch;

DROP TABLE epochs;
DROP TABLE attempts;
DROP TABLE jobs;
DROP TABLE workers;
DROP TABLE sweeps;
ALTER TABLE new_sweeps RENAME TO sweeps;
ALTER TABLE new_workers RENAME TO workers;
ALTER TABLE new_jobs RENAME TO jobs;
ALTER TABLE new_epochs RENAME TO epochs;

ALTER TABLE config_sums RENAME COLUMN final_deviation TO final_std;
ALTER TABLE config_sums RENAME COLUMN best_deviation TO best_std;
-- Of the objective, whatever it is.
ALTER TABLE config_sums RENAME COLUMN objective_mean TO mean;
ALTER TABLE config_sums ADD COLUMN std REAL;
ALTER TABLE config_sums ADD COLUMN low REAL;
ALTER TABLE config_sums ADD COLUMN high REAL;
UPDATE config_sums
SET std = CASE s.scored_epoch WHEN 'best' THEN best_std ELSE final_std END,
    low = CASE s.scored_epoch WHEN 'best' THEN best_low ELSE final_low END,
    high = CASE s.scored_epoch WHEN 'best' THEN best_high ELSE final_high END
FROM sweeps s
WHERE s.id = config_sums.sweep_id
  AND s.metric = 'val_accuracy';

-- Of an attempt that went on from earlier ones: each of those, and the last of its steps that
-- counts. What an attempt went on from may itself have gone on from another one.
CREATE TABLE attempt_sources (
    job_id    INTEGER NOT NULL,
    attempt   INTEGER NOT NULL,
    source    INTEGER NOT NULL,
    last_step INTEGER NOT NULL,
    PRIMARY KEY (job_id, attempt, source),
    FOREIGN KEY (job_id, attempt) REFERENCES job_attempts (job_id, attempt),
    FOREIGN KEY (job_id, source) REFERENCES job_attempts (job_id, attempt)
) STRICT, WITHOUT ROWID;
-- An attempt's sources follow from what it names, whoever writes it.
CREATE TRIGGER job_attempts_resumed AFTER INSERT ON job_attempts WHEN NEW.resumed_from IS NOT NULL
BEGIN
    INSERT INTO attempt_sources (job_id, attempt, source, last_step)
    SELECT NEW.job_id, NEW.attempt, NEW.resumed_from, NEW.resumed_step
    UNION ALL
    SELECT s.job_id, NEW.attempt, s.source, min(s.last_step, NEW.resumed_step)
    FROM attempt_sources s
    WHERE s.job_id = NEW.job_id AND s.attempt = NEW.resumed_from;
END;

-- Whoever deletes a job looks for the configurations that begin with it.
CREATE INDEX config_sums_job ON config_sums (job_id);
CREATE INDEX sweeps_dataset ON sweeps (dataset);
-- Acquiring walks each sweep's queue in order; everything else that looks for queued jobs does too.
CREATE INDEX jobs_queued ON jobs (sweep_id, id) WHERE state = 'queued';
-- Without the deadline, so that renewing a lease changes no index. Few jobs run at once: the reaper
-- reads them all.
CREATE INDEX jobs_running ON jobs (sweep_id, id) WHERE state = 'running';
CREATE INDEX jobs_of_worker ON jobs (worker_id) WHERE state = 'running';
-- Few jobs are in it: those that were tried, and only as long as they wait.
CREATE INDEX jobs_hindered ON jobs (sweep_id, not_before) WHERE state = 'queued' AND hindrance IS NOT NULL;
CREATE INDEX jobs_score ON jobs (sweep_id, score DESC, id);
CREATE INDEX jobs_slowest ON jobs (sweep_id, seconds DESC, id) WHERE seconds IS NOT NULL;
-- Who names an artifact.
CREATE INDEX jobs_final_model ON jobs (final_model) WHERE final_model IS NOT NULL;
CREATE INDEX jobs_best_model ON jobs (best_model) WHERE best_model IS NOT NULL;
-- The last one: without statistics SQLite takes the youngest of the indexes that would do, and
-- where a question asks for more than an index has, this one leads to the rows in the order in
-- which they lie in the file.
CREATE INDEX jobs_sweep ON jobs (sweep_id, id);
-- A request that reaches two coordinators at once is granted by one of them: the other's insert
-- fails and it then finds the first one's leases. Ended attempts do not count, so that a request
-- repeated much later is a fresh one.
CREATE UNIQUE INDEX job_attempts_request ON job_attempts (request_id, worker_id, slot) WHERE outcome IS NULL;
CREATE INDEX job_attempts_bad ON job_attempts (job_id, attempt) WHERE outcome IN ('failed', 'lost', 'diverged');

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
       CASE s.scored_epoch WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device,
       j.trainer,
       j.metrics
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing';

-- The accepted attempt of an ended job, the current one of a running job. A queued job has neither.
-- An attempt that went on from earlier ones has their records up to where it went on, and then its
-- own. CROSS JOIN keeps the planner from reading all records of a job in search of the few that
-- another attempt went on from.
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
CROSS JOIN job_attempts a ON a.job_id = r.job_id AND a.attempt = r.source
CROSS JOIN epochs e ON e.job_id = a.job_id AND e.attempt = a.attempt AND e.step <= r.last_step
             AND e.step > COALESCE(a.resumed_step, -1)
WHERE j.state <> 'queued';

-- The best 1,000 of each sweep, straight from the index on (sweep_id, score). The window is
-- partitioned by the name, since only a filter on the partition is pushed below it. Postgres has
-- another form: this one repeats the subquery for every job there.
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

CREATE VIEW worker_status AS
SELECT w.name AS worker,
       w.id AS worker_id,
       CASE WHEN w.left_at IS NOT NULL THEN 'left'
            WHEN w.last_seen_at < t.now - min(max(COALESCE(w.gone_after, 60000000), 0), 86400000000) THEN 'gone'
            ELSE 'present' END AS state,
       w.host,
       w.device,
       w.slots,
       (SELECT count(*) FROM jobs j WHERE j.state = 'running' AND j.worker_id = w.id) AS running,
       w.build,
       strftime('%Y-%m-%dT%H:%M:%S', w.registered_at / 1000000, 'unixepoch') || printf('.%06dZ', w.registered_at % 1000000) AS registered_at,
       strftime('%Y-%m-%dT%H:%M:%S', w.last_seen_at / 1000000, 'unixepoch') || printf('.%06dZ', w.last_seen_at % 1000000) AS last_seen_at,
       w.trainers
FROM workers w
JOIN (SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000 AS now) t
WHERE w.last_seen_at > t.now - 86400000000;

-- The job is always there: the outer join lets the planners leave it out where a query asks for
-- numbers only.
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

-- `counts` of `confusions` is a list of all counts, or an object that has those that are not 0 by
-- their places in that list. What is no JSON hides no other.
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

-- From the few attempts that ended badly to their jobs: CROSS JOIN keeps the planner from the other
-- way round, which would look at every job.
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

-- Nothing may name what is not there: the check of the table fails where something does.
CREATE TEMP TABLE dangling (rows INTEGER CHECK (rows = 0));
INSERT INTO dangling SELECT count(*) FROM pragma_foreign_key_check;
DROP TABLE dangling;
