-- What people query. Columns and values are the same in SQLite and Postgres; docs/sql.md describes them.
-- No function of besom's own is used, so every client that opens the database sees the same.

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
       j.attempt AS attempts,
       j.error,
       to_char(to_timestamp(j.started_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((j.started_at % 1000000)::text, 6, '0') || 'Z' AS started_at,
       to_char(to_timestamp(j.ended_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((j.ended_at % 1000000)::text, 6, '0') || 'Z' AS ended_at,
       CASE s.objective WHEN 'best' THEN j.best_model ELSE j.final_model END AS model,
       s.dataset,
       j.engine,
       j.device
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
LEFT JOIN workers w ON w.id = j.worker_id;

-- The accepted attempt of an ended job, the current one of a running job. A queued job has neither.
CREATE VIEW history AS
SELECT s.name AS sweep,
       e.job_id AS job,
       e.epoch,
       e.loss,
       e.accuracy,
       e.val_loss,
       e.val_accuracy,
       e.learning_rate,
       e.seconds,
       e.metrics
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN epochs e ON e.job_id = j.id AND e.attempt = j.attempt
WHERE j.state <> 'queued';

-- The best 1,000 of each sweep, straight from the index on (sweep_id, score). LATERAL reads it once a sweep; the form
-- that SQLite needs would repeat the subquery for every job here.
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
       r.attempts,
       r.error,
       r.started_at,
       r.ended_at,
       r.model,
       r.dataset,
       r.engine,
       r.device,
       k.rank
FROM sweeps s
CROSS JOIN LATERAL (SELECT q.id, rank() OVER (ORDER BY q.score DESC) AS rank
                    FROM (SELECT t.id, t.score
                          FROM jobs t
                          WHERE t.sweep_id = s.id AND t.score IS NOT NULL
                          ORDER BY t.score DESC NULLS LAST, t.id
                          LIMIT 1000) q) k
JOIN runs r ON r.job = k.id
ORDER BY s.id DESC, k.rank, r.job;

CREATE VIEW sweep_progress AS
SELECT s.name AS sweep,
       s.id AS sweep_id,
       s.state,
       s.jobs_total,
       s.jobs_created,
       count(*) FILTER (WHERE j.state = 'queued') AS queued,
       count(*) FILTER (WHERE j.state = 'running') AS running,
       count(*) FILTER (WHERE j.state = 'succeeded') AS succeeded,
       count(*) FILTER (WHERE j.state = 'stopped') AS stopped,
       count(*) FILTER (WHERE j.state = 'diverged') AS diverged,
       count(*) FILTER (WHERE j.state = 'failed') AS failed,
       count(*) FILTER (WHERE j.state = 'cancelled') AS cancelled,
       to_char(to_timestamp(s.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((s.created_at % 1000000)::text, 6, '0') || 'Z' AS created_at,
       to_char(to_timestamp(s.ended_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((s.ended_at % 1000000)::text, 6, '0') || 'Z' AS ended_at
FROM sweeps s
LEFT JOIN jobs j ON j.sweep_id = s.id
GROUP BY s.id;

CREATE VIEW worker_status AS
SELECT w.name AS worker,
       w.id AS worker_id,
       CASE WHEN w.left_at IS NULL THEN 'present' ELSE 'left' END AS state,
       w.host,
       w.device,
       w.slots,
       (SELECT count(*) FROM jobs j WHERE j.state = 'running' AND j.worker_id = w.id) AS running,
       w.build,
       to_char(to_timestamp(w.registered_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((w.registered_at % 1000000)::text, 6, '0') || 'Z' AS registered_at,
       to_char(to_timestamp(w.last_seen_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
           || '.' || lpad((w.last_seen_at % 1000000)::text, 6, '0') || 'Z' AS last_seen_at
FROM workers w;
