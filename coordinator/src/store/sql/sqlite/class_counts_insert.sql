-- Differs from Postgres: json_each in place of jsonb_array_elements.
INSERT INTO class_counts (job_id, class, support, predicted, correct)
SELECT $1, c.key, c.value->>0, c.value->>1, c.value->>2
FROM json_each($2) c
WHERE true
ON CONFLICT (job_id, class) DO NOTHING
