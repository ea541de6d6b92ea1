-- What keeps a queued job from being trained that is no fault of its own: 'artifact' where the dataset is missing or damaged
-- in the store, 'machine' where a worker's machine lacks memory or threads; null: nothing that is known. `error` says it in words.
ALTER TABLE jobs ADD COLUMN hindrance TEXT CHECK (hindrance IN ('artifact', 'machine'));
-- How often in a row the job was given back for that reason; the waits grow with it.
ALTER TABLE jobs ADD COLUMN hindrances BIGINT NOT NULL DEFAULT 0;
-- Few jobs are in it: those that were tried, and only as long as they wait.
CREATE INDEX jobs_hindered ON jobs (sweep_id, not_before) WHERE state = 'queued' AND hindrance IS NOT NULL;

-- When a reader found that the stored bytes are not those of the digest: until somebody puts the right ones, it counts as missing.
-- SQLite has files instead, and moves a damaged one aside.
ALTER TABLE artifacts ADD COLUMN damaged_at BIGINT;

-- After so many microseconds without a call a worker counts as gone: two of its leases. Null: it registered before this was kept.
ALTER TABLE workers ADD COLUMN gone_after BIGINT;

CREATE OR REPLACE VIEW worker_status AS
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
       besom_utc(w.last_seen_at) AS last_seen_at
FROM workers w
CROSS JOIN (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) t
WHERE w.last_seen_at > t.now - 86400000000;
