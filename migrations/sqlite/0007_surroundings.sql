-- What keeps a queued job from being trained that is no fault of its own: 'artifact' where the dataset is missing or damaged
-- in the store, 'machine' where a worker's machine lacks memory or threads; null: nothing that is known. `error` says it in words.
ALTER TABLE jobs ADD COLUMN hindrance TEXT CHECK (hindrance IN ('artifact', 'machine'));
-- How often in a row the job was given back for that reason; the waits grow with it.
ALTER TABLE jobs ADD COLUMN hindrances INTEGER NOT NULL DEFAULT 0;
-- Few jobs are in it: those that were tried, and only as long as they wait.
CREATE INDEX jobs_hindered ON jobs (sweep_id, not_before) WHERE state = 'queued' AND hindrance IS NOT NULL;

-- After so many microseconds without a call a worker counts as gone: two of its leases. Null: it registered before this was kept.
ALTER TABLE workers ADD COLUMN gone_after INTEGER;

DROP VIEW worker_status;
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
       strftime('%Y-%m-%dT%H:%M:%S', w.last_seen_at / 1000000, 'unixepoch') || printf('.%06dZ', w.last_seen_at % 1000000) AS last_seen_at
FROM workers w
JOIN (SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000 AS now) t
WHERE w.last_seen_at > t.now - 86400000000;
