-- Differs from SQLite: jsonb_array_elements in place of json_each, and casts, since ->> is always
-- text here.
INSERT INTO jobs (
    sweep_id, state, ended_at, trainer, config_hash, params, seed, engine, device,
    optimizer, learning_rate, batch_size, epochs, hidden, activation, dropout
)
SELECT $1, $3, $4,
       value->>0, decode(value->>1, 'hex'), value->2, (value->>3)::bigint, value->>4, value->>5,
       value->>6, (value->>7)::float8, (value->>8)::bigint, (value->>9)::bigint, value->>10, value->>11,
       (value->>12)::float8
FROM jsonb_array_elements($2) WITH ORDINALITY AS e (value, key)
ORDER BY key
