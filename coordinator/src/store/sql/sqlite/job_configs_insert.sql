-- Differs from Postgres: json_each in place of jsonb_array_elements. Follows jobs_insert.sql with the same $1 and $2.
INSERT INTO job_configs (job_id, config)
SELECT j.id, e.value->>13
FROM json_each($2) e
CROSS JOIN jobs j ON j.sweep_id = $1 AND j.config_hash = unhex(e.value->>1) AND j.seed = e.value->>3
