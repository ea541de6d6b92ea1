-- Each condition is off where its parameter is null. There are few sweeps, so one scan serves every
-- question. Nobody sees a sweep that is being removed.
SELECT id, name, title, digest, text, method, metric, goal, scored_epoch, keep_models, engine, dataset, dataset_source,
       dataset_sha256, swept, trainer, trainer_version, shared_config, classes, jobs_total, jobs_created, state, created_at
FROM sweeps
WHERE ($1 IS NULL OR id = $1)
  AND ($2 IS NULL OR name = $2)
  AND ($3 IS NULL OR jobs_total IS NULL OR jobs_created < jobs_total)
  AND state <> 'removing'
ORDER BY id DESC
