-- Differs from SQLite: jsonb_array_elements in place of json_each, and casts, since ->> is always
-- text here.
INSERT INTO class_counts (job_id, class, support, predicted, correct)
SELECT $1, c.place - 1, (c.value->>0)::bigint, (c.value->>1)::bigint, (c.value->>2)::bigint
FROM jsonb_array_elements($2) WITH ORDINALITY AS c (value, place)
ON CONFLICT (job_id, class) DO NOTHING
