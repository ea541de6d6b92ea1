SELECT j.id AS job, j.attempt, a.lease, j.sweep_id, s.name AS sweep_name, j.slot, j.seed, c.config, j.config_hash, s.metric,
       s.goal, s.objective, s.keep_models
FROM job_attempts a
JOIN jobs j ON j.id = a.job_id AND j.attempt = a.attempt
JOIN job_configs c ON c.job_id = j.id
JOIN sweeps s ON s.id = j.sweep_id
WHERE a.request_id = $1
  AND a.worker_id = $2
  AND a.outcome IS NULL
ORDER BY j.sweep_id, j.id
