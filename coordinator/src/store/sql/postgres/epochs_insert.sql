-- Differs from SQLite: jsonb_array_elements in place of json_each, and casts, since ->> is always
-- text here.
INSERT INTO epochs (
    job_id, attempt, step, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, metrics
)
SELECT j.id, j.attempt, (e.value->>2)::bigint, (e.value->>3)::float8, (e.value->>4)::float8, (e.value->>5)::float8,
       (e.value->>6)::float8, (e.value->>7)::float8, (e.value->>8)::float8, e.value->9
FROM jsonb_array_elements($1) AS e (value)
JOIN jobs j ON j.id = (e.value->>0)::bigint AND j.attempt = (e.value->>1)::bigint AND j.state = 'running'
ON CONFLICT DO NOTHING
