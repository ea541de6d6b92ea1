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
       strftime('%Y-%m-%dT%H:%M:%S', j.started_at / 1000000, 'unixepoch') || printf('.%06dZ', j.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', j.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', j.ended_at % 1000000) AS ended_at,
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

-- The best 1,000 of each sweep, straight from the index on (sweep_id, score). The window is partitioned by the name,
-- since only a filter on the partition is pushed below it. Postgres has another form: this one repeats the subquery
-- for every job there.
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
       rank() OVER (PARTITION BY s.name ORDER BY j.score DESC) AS rank
FROM sweeps s
JOIN jobs j ON j.id IN (SELECT t.id
                        FROM jobs t
                        WHERE t.sweep_id = s.id AND t.score IS NOT NULL
                        ORDER BY t.score DESC, t.id
                        LIMIT 1000)
JOIN runs r ON r.job = j.id
ORDER BY s.id DESC, rank, j.id;

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
       strftime('%Y-%m-%dT%H:%M:%S', s.created_at / 1000000, 'unixepoch') || printf('.%06dZ', s.created_at % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', s.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', s.ended_at % 1000000) AS ended_at
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
       strftime('%Y-%m-%dT%H:%M:%S', w.registered_at / 1000000, 'unixepoch') || printf('.%06dZ', w.registered_at % 1000000) AS registered_at,
       strftime('%Y-%m-%dT%H:%M:%S', w.last_seen_at / 1000000, 'unixepoch') || printf('.%06dZ', w.last_seen_at % 1000000) AS last_seen_at
FROM workers w;
