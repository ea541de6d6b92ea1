-- The shape of a run is data: a trainer, parameters by name and metrics by name. The columns of the
-- perceptron stay, since people query them; they are null where a trainer has no such thing. What a
-- column may hold is checked by the coordinator, which knows what a trainer may say.

-- Who may read the views may read the new ones.
CREATE TEMPORARY TABLE kept_grants ON COMMIT DROP AS
SELECT c.relname::text AS view,
       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
       a.privilege_type AS privilege
FROM pg_class c
CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.relkind = 'v'
  AND c.relnamespace = (SELECT n.relnamespace FROM pg_class n WHERE n.oid = 'runs'::regclass)
  AND a.grantee <> c.relowner;

-- The views first, as whoever reads them takes them first, and then the tables.
DROP VIEW best_runs, runs, history, sweep_progress, worker_status, config_stats, importance, confusion, per_class, failures,
          slowest;
LOCK TABLE sweeps, jobs, attempts, workers, epochs, config_sums IN ACCESS EXCLUSIVE MODE;

ALTER TABLE sweeps RENAME COLUMN objective TO scored_epoch;
ALTER TABLE sweeps
    ADD COLUMN trainer TEXT NOT NULL DEFAULT 'mlp',
    -- A JSON object of texts.
    ADD COLUMN labels JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN created_by TEXT,
    -- What the file asks for, as it was checked when the sweep was made: canonical JSON, which is
    -- read without another look at the file. Null in sweeps of before, whose file is read instead.
    ADD COLUMN spec TEXT,
    -- What the configurations of its jobs have in common: a JSON object. The rest of each is in its
    -- job, so that a million jobs do not say the same a million times.
    ADD COLUMN shared_config TEXT,
    -- Null: nobody knows beforehand; a rule ends the sweep.
    ALTER COLUMN jobs_total DROP NOT NULL,
    DROP CONSTRAINT sweeps_metric_check,
    -- A sweep that is removed leaves everybody's sight at once and its rows later, in short
    -- transactions that any coordinator goes on with. Meanwhile its state is 'removing', which no
    -- view shows. Its name is another one then, so that the name is free.
    DROP CONSTRAINT sweeps_state_check;
ALTER TABLE sweeps ALTER COLUMN trainer DROP DEFAULT;
UPDATE sweeps
SET shared_config = jsonb_build_object('dataset', dataset, 'scaling', 'training_maximum', 'trainer', 'mlp',
                                       'trainer_version', trainer_version)::text;
ALTER TABLE sweeps ALTER COLUMN shared_config SET NOT NULL;
-- The interval of an objective that is no accuracy was not kept: it is worked out again.
UPDATE sweeps SET unsummed_after = 0 WHERE metric <> 'val_accuracy';

-- What a worker executes: a JSON object of versions by the names of trainers.
ALTER TABLE workers ADD COLUMN trainers JSONB;
UPDATE workers SET trainers = jsonb_build_object('mlp', trainer_version);
ALTER TABLE workers ALTER COLUMN trainers SET NOT NULL, DROP COLUMN trainer_version;

ALTER TABLE jobs RENAME COLUMN losses TO lost_attempts;
ALTER TABLE jobs
    DROP COLUMN config,
    DROP COLUMN shape_hash,
    -- SHA-256 of the configuration.
    ALTER COLUMN config_hash TYPE BYTEA USING decode(config_hash, 'hex'),
    ADD CHECK (octet_length(config_hash) = 32),
    -- A JSON object of the last values of metrics that have no column.
    ADD COLUMN metrics JSONB NOT NULL DEFAULT '{}',
    ALTER COLUMN engine DROP NOT NULL,
    ALTER COLUMN device DROP NOT NULL,
    ALTER COLUMN optimizer DROP NOT NULL,
    ALTER COLUMN learning_rate DROP NOT NULL,
    ALTER COLUMN batch_size DROP NOT NULL,
    ALTER COLUMN epochs DROP NOT NULL,
    ALTER COLUMN hidden DROP NOT NULL,
    ALTER COLUMN activation DROP NOT NULL,
    ALTER COLUMN dropout DROP NOT NULL,
    DROP CONSTRAINT jobs_state_check,
    DROP CONSTRAINT jobs_hindrance_check;
ALTER TABLE attempts RENAME TO job_attempts;
ALTER INDEX attempts_request RENAME TO job_attempts_request;
ALTER INDEX attempts_bad RENAME TO job_attempts_bad;
ALTER TABLE job_attempts
    DROP CONSTRAINT attempts_outcome_check,
    -- The earlier attempt that this one goes on from, and the last of its steps that counts.
    ADD COLUMN resumed_from BIGINT,
    ADD COLUMN resumed_step BIGINT,
    ADD CHECK ((resumed_from IS NULL) = (resumed_step IS NULL)),
    ADD CHECK (resumed_from < attempt);

-- Of an attempt that went on from earlier ones: each of those, and the last of its steps that
-- counts. What an attempt went on from may itself have gone on from another one.
CREATE TABLE attempt_sources (
    job_id    BIGINT NOT NULL,
    attempt   BIGINT NOT NULL,
    source    BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    PRIMARY KEY (job_id, attempt, source),
    FOREIGN KEY (job_id, attempt) REFERENCES job_attempts (job_id, attempt),
    FOREIGN KEY (job_id, source) REFERENCES job_attempts (job_id, attempt)
);
-- An attempt's sources follow from what it names, whoever writes it.
CREATE FUNCTION besom_attempt_sources() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO attempt_sources (job_id, attempt, source, last_step)
    SELECT NEW.job_id, NEW.attempt, NEW.resumed_from, NEW.resumed_step
    UNION ALL
    SELECT s.job_id, NEW.attempt, s.source, LEAST(s.last_step, NEW.resumed_step)
    FROM attempt_sources s
    WHERE s.job_id = NEW.job_id AND s.attempt = NEW.resumed_from;
    RETURN NULL;
END
$$;
CREATE TRIGGER job_attempts_resumed AFTER INSERT ON job_attempts
FOR EACH ROW WHEN (NEW.resumed_from IS NOT NULL) EXECUTE FUNCTION besom_attempt_sources();

-- Ascending, with gaps where a trainer leaves some; the perceptron's are its epochs, from 1.
ALTER TABLE epochs RENAME COLUMN epoch TO step;
ALTER TABLE epochs
    DROP CONSTRAINT epochs_epoch_check,
    ADD CHECK (step >= 0),
    ALTER COLUMN learning_rate DROP NOT NULL,
    ALTER COLUMN seconds DROP NOT NULL;

ALTER TABLE config_sums RENAME COLUMN final_deviation TO final_std;
ALTER TABLE config_sums RENAME COLUMN best_deviation TO best_std;
-- Of the objective, whatever it is.
ALTER TABLE config_sums RENAME COLUMN objective_mean TO mean;
ALTER TABLE config_sums
    ADD COLUMN std DOUBLE PRECISION,
    ADD COLUMN low DOUBLE PRECISION,
    ADD COLUMN high DOUBLE PRECISION;
UPDATE config_sums c
SET std = CASE s.scored_epoch WHEN 'best' THEN c.best_std ELSE c.final_std END,
    low = CASE s.scored_epoch WHEN 'best' THEN c.best_low ELSE c.final_low END,
    high = CASE s.scored_epoch WHEN 'best' THEN c.best_high ELSE c.final_high END
FROM sweeps s
WHERE s.id = c.sweep_id
  AND s.metric = 'val_accuracy';

-- Whoever deletes a job looks for the configurations that begin with it.
CREATE INDEX config_sums_job ON config_sums (job_id);

-- The password of the role that statements of readers log in as. The coordinator makes both; the
-- role can select from the views and from nothing else, so not from here. SQLite has no logins:
-- there, what a statement may read is decided where it is compiled.
CREATE TABLE reader (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    password TEXT NOT NULL
);

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
       w.name AS worker,
       j.attempt AS n_attempts,
       j.error,
       besom_utc(j.started_at) AS started_at,
       besom_utc(j.ended_at) AS ended_at,
       CASE s.scored_epoch WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device,
       j.trainer,
       j.metrics
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
LEFT JOIN workers w ON w.id = j.worker_id;

-- The accepted attempt of an ended job, the current one of a running job. A queued job has neither.
-- An attempt that went on from earlier ones has their records up to where it went on, and then its
-- own.
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
JOIN job_attempts a ON a.job_id = r.job_id AND a.attempt = r.source
JOIN epochs e ON e.job_id = a.job_id AND e.attempt = a.attempt AND e.step <= r.last_step
             AND e.step > COALESCE(a.resumed_step, -1)
WHERE j.state <> 'queued';

-- The best 1,000 of each sweep, straight from the index on (sweep_id, score). LATERAL reads it once
-- a sweep; the form that SQLite needs would repeat the subquery for every job here.
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

-- From what is kept; only the few running jobs are counted.
CREATE VIEW sweep_progress AS
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

CREATE VIEW worker_status AS
SELECT w.name AS worker,
       w.id AS worker_id,
       CASE WHEN w.left_at IS NOT NULL THEN 'left'
            WHEN w.last_seen_at < t.now - LEAST(GREATEST(COALESCE(w.gone_after, 60000000), 0), 86400000000) THEN 'gone'
            ELSE 'present' END AS state,
       w.host,
       w.device,
       w.slots,
       (SELECT count(*) FROM jobs j WHERE j.state = 'running' AND j.worker_id = w.id) AS running,
       w.build,
       besom_utc(w.registered_at) AS registered_at,
       besom_utc(w.last_seen_at) AS last_seen_at,
       w.trainers
FROM workers w
CROSS JOIN (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) t
WHERE w.last_seen_at > t.now - 86400000000;

-- The job is always there: the outer join lets the planners leave it out where a query asks for
-- numbers only.
CREATE VIEW config_stats AS
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

CREATE VIEW importance AS
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

-- `counts` of `confusions` is a list of all counts, or an object that has those that are not 0 by
-- their places in that list. What is no count, or neither list nor object, hides no other.
CREATE VIEW confusion AS
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
       besom_utc(a.started_at) AS started_at,
       besom_utc(a.ended_at) AS ended_at,
       a.resumed_from,
       a.resumed_step
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
JOIN job_attempts a ON a.job_id = j.id
JOIN workers w ON w.id = a.worker_id;

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
       besom_utc(a.started_at) AS started_at,
       besom_utc(a.ended_at) AS ended_at
FROM job_attempts a
JOIN jobs j ON j.id = a.job_id
JOIN sweeps s ON s.id = j.sweep_id AND s.state <> 'removing'
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

DO $$
DECLARE
    kept RECORD;
BEGIN
    FOR kept IN SELECT * FROM kept_grants LOOP
        IF to_regclass(quote_ident(kept.view)) IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %I TO %s', kept.privilege, kept.view, kept.grantee);
        END IF;
    END LOOP;
END
$$;
