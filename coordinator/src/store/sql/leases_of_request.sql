SELECT j.id AS job, j.attempt, a.lease, j.sweep_id, s.name AS sweep_name, j.slot, j.seed, j.params, j.engine,
       j.device, j.config_hash, s.shared_config, s.metric,
       s.goal, s.scored_epoch, s.keep_models
FROM job_attempts a
JOIN jobs j ON j.id = a.job_id AND j.attempt = a.attempt
JOIN sweeps s ON s.id = j.sweep_id
WHERE a.request_id = $1
  AND a.worker_id = $2
  AND a.outcome IS NULL
ORDER BY j.sweep_id, j.id
