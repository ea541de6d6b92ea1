-- Differs from Postgres: json_each in place of jsonb_array_elements. The join is the fence.
INSERT INTO epochs (
    job_id, attempt, step, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, metrics
)
SELECT j.id, j.attempt, e.value->>2, e.value->>3, e.value->>4, e.value->>5, e.value->>6, e.value->>7, e.value->>8,
       e.value->>9
FROM json_each($1) e
JOIN jobs j ON j.id = e.value->>0 AND j.attempt = e.value->>1 AND j.state = 'running'
WHERE true
ON CONFLICT DO NOTHING
