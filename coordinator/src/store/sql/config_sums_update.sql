UPDATE config_sums
SET n = $3, diverged = $4, failed = $5,
    final_mean = $6, final_deviation = $7, final_low = $8, final_high = $9,
    best_mean = $10, best_deviation = $11, best_low = $12, best_high = $13,
    mean_seconds = $14, objective_mean = $15
WHERE sweep_id = $1
  AND job_id = $2
