-- Everything that besom keeps. Times are microseconds since 1970-01-01 UTC; the views show them as text.
-- STRICT, so that a value of the wrong type is refused here as it is in Postgres.

CREATE TABLE sweeps (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    digest          TEXT NOT NULL,
    text            TEXT NOT NULL,
    method          TEXT NOT NULL,
    metric          TEXT NOT NULL CHECK (metric IN ('loss', 'accuracy', 'val_loss', 'val_accuracy')),
    goal            TEXT NOT NULL CHECK (goal IN ('maximize', 'minimize')),
    objective       TEXT NOT NULL CHECK (objective IN ('final', 'best')),
    keep_models     TEXT NOT NULL CHECK (keep_models IN ('all', 'best', 'none')),
    engine          TEXT,
    dataset         TEXT NOT NULL,
    dataset_source  TEXT NOT NULL,
    dataset_sha256  TEXT NOT NULL,
    swept           TEXT NOT NULL,
    trainer_version INTEGER NOT NULL,
    jobs_total      INTEGER NOT NULL CHECK (jobs_total >= 1),
    jobs_created    INTEGER NOT NULL DEFAULT 0 CHECK (jobs_created BETWEEN 0 AND jobs_total),
    state           TEXT NOT NULL CHECK (state IN ('active', 'paused', 'completed', 'cancelled')),
    created_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    CHECK ((state IN ('completed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (state <> 'completed' OR jobs_created = jobs_total)
) STRICT;

CREATE TABLE workers (
    id              INTEGER PRIMARY KEY,
    instance        TEXT NOT NULL UNIQUE,
    name            TEXT NOT NULL,
    host            TEXT NOT NULL,
    slots           INTEGER NOT NULL,
    build           TEXT NOT NULL,
    trainer_version INTEGER NOT NULL,
    device          TEXT NOT NULL,
    registered_at   INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    left_at         INTEGER
) STRICT;

CREATE TABLE artifacts (
    digest     TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
    id                 INTEGER PRIMARY KEY,
    sweep_id           INTEGER NOT NULL REFERENCES sweeps (id),
    -- What to train.
    trainer            TEXT NOT NULL,
    config_hash        TEXT NOT NULL,
    shape_hash         TEXT NOT NULL,
    config             TEXT NOT NULL,
    params             TEXT NOT NULL,
    seed               INTEGER NOT NULL,
    engine             TEXT NOT NULL,
    device             TEXT NOT NULL,
    optimizer          TEXT NOT NULL,
    learning_rate      REAL NOT NULL,
    batch_size         INTEGER NOT NULL,
    epochs             INTEGER NOT NULL,
    hidden             TEXT NOT NULL,
    activation         TEXT NOT NULL,
    dropout            REAL NOT NULL,
    -- Where it stands. `attempt` is the number of the latest attempt and the fencing token: it only grows.
    state              TEXT NOT NULL
        CHECK (state IN ('queued', 'running', 'succeeded', 'stopped', 'diverged', 'failed', 'cancelled')),
    attempt            INTEGER NOT NULL DEFAULT 0,
    worker_id          INTEGER REFERENCES workers (id),
    slot               INTEGER,
    lease_until        INTEGER,
    not_before         INTEGER NOT NULL DEFAULT 0,
    failures           INTEGER NOT NULL DEFAULT 0,
    losses             INTEGER NOT NULL DEFAULT 0,
    error              TEXT,
    started_at         INTEGER,
    ended_at           INTEGER,
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
    UNIQUE (sweep_id, config_hash, seed),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK (state <> 'running'
           OR (worker_id IS NOT NULL AND slot IS NOT NULL AND started_at IS NOT NULL AND attempt >= 1)),
    CHECK (state <> 'queued' OR (worker_id IS NULL AND slot IS NULL AND started_at IS NULL)),
    CHECK ((state IN ('succeeded', 'stopped', 'diverged', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (score IS NULL OR state IN ('succeeded', 'stopped')),
    CHECK ((score IS NULL) = (objective IS NULL))
) STRICT;

-- Acquiring walks each sweep's queue in order; everything else that looks for queued jobs does too.
CREATE INDEX jobs_queued ON jobs (sweep_id, id) WHERE state = 'queued';
-- Without the deadline, so that renewing a lease changes no index. Few jobs run at once: the reaper reads them all.
CREATE INDEX jobs_running ON jobs (sweep_id, id) WHERE state = 'running';
-- Pages of a sweep's jobs; the counts and sums of its progress; its best runs; the same configuration in any sweep.
CREATE INDEX jobs_sweep ON jobs (sweep_id, id);
CREATE INDEX jobs_progress ON jobs (sweep_id, state, epochs, epoch_seconds);
CREATE INDEX jobs_score ON jobs (sweep_id, score DESC, id);
CREATE INDEX jobs_config ON jobs (config_hash, seed);

CREATE TABLE attempts (
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    attempt    INTEGER NOT NULL CHECK (attempt >= 1),
    worker_id  INTEGER NOT NULL REFERENCES workers (id),
    slot       INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT
        CHECK (outcome IN ('succeeded', 'stopped', 'diverged', 'failed', 'lost', 'released', 'cancelled')),
    error      TEXT,
    PRIMARY KEY (job_id, attempt),
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;

-- A request that reaches two coordinators at once is granted by one of them: the other's insert fails and it then
-- finds the first one's leases. Ended attempts do not count, so that a request repeated much later is a fresh one.
CREATE UNIQUE INDEX attempts_request ON attempts (request_id, worker_id, slot) WHERE outcome IS NULL;

CREATE TABLE epochs (
    job_id        INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    epoch         INTEGER NOT NULL CHECK (epoch >= 1),
    loss          REAL,
    accuracy      REAL,
    val_loss      REAL,
    val_accuracy  REAL,
    learning_rate REAL NOT NULL,
    seconds       REAL NOT NULL,
    metrics       TEXT NOT NULL,
    PRIMARY KEY (job_id, attempt, epoch),
    FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
) STRICT, WITHOUT ROWID;

-- Of the job's model over the validation split: a list of classes x classes counts, row = target, column = predicted.
CREATE TABLE confusions (
    job_id  INTEGER PRIMARY KEY REFERENCES jobs (id),
    classes INTEGER NOT NULL CHECK (classes >= 1),
    counts  TEXT NOT NULL
) STRICT;
