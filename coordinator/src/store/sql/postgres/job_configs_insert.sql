-- Differs from SQLite: jsonb_array_elements in place of json_each, and casts, since ->> is always text here. Follows
-- jobs_insert.sql with the same $1 and $2.
INSERT INTO job_configs (job_id, config)
SELECT j.id, e.value->>13
FROM jsonb_array_elements($2) e (value)
JOIN jobs j ON j.sweep_id = $1 AND j.config_hash = decode(e.value->>1, 'hex') AND j.seed = (e.value->>3)::bigint
