-- Differs from Postgres: json_each in place of jsonb_array_elements. $2 is a list of lists, so a
-- batch of any size is one statement that is prepared once. Floats are JSON text written by Rust
-- and never read back as text: SQLite reads them exactly from 1e-60 to 1e60 and may miss the last
-- bit far beyond, where no loss or rate of an f32 model lies.
INSERT INTO jobs (
    sweep_id, state, ended_at, trainer, config_hash, params, seed, engine, device,
    optimizer, learning_rate, batch_size, epochs, hidden, activation, dropout
)
SELECT $1, $3, $4,
       value->>0, unhex(value->>1), value->>2, value->>3, value->>4, value->>5,
       value->>6, value->>7, value->>8, value->>9, value->>10, value->>11, value->>12
FROM json_each($2)
ORDER BY key
