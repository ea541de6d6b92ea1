INSERT INTO sweeps (
    name, digest, text, method, metric, goal, scored_epoch, keep_models, engine, dataset, dataset_source, dataset_sha256,
    swept, trainer, trainer_version, jobs_total, state, created_at, classes, title, spec, shared_config
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'active', $17, $18, $19, $20, $21)
ON CONFLICT (name) DO NOTHING
