SELECT c.job_id AS job, j.config_hash, j.params, c.n, c.diverged, c.failed, c.final_mean, c.final_deviation,
       c.final_low, c.final_high, c.best_mean, c.best_deviation, c.best_low, c.best_high, c.mean_seconds,
       c.objective_mean
FROM config_sums c
JOIN jobs j ON j.id = c.job_id
WHERE c.sweep_id = $1
  AND c.job_id > $2
ORDER BY c.job_id
LIMIT $3
