-- Differs from SQLite: jsonb_array_elements in place of json_each, and casts, since ->> is always text here.
INSERT INTO jobs (
    sweep_id, state, ended_at, trainer, config_hash, shape_hash, config, params, seed, engine, device,
    optimizer, learning_rate, batch_size, epochs, hidden, activation, dropout
)
SELECT $1, $3, $4,
       value->>0, value->>1, value->>2, value->>3, value->4, (value->>5)::bigint, value->>6, value->>7,
       value->>8, (value->>9)::float8, (value->>10)::bigint, (value->>11)::bigint, value->>12, value->>13,
       (value->>14)::float8
FROM jsonb_array_elements($2) WITH ORDINALITY AS e (value, key)
ORDER BY key
