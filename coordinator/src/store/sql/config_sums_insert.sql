INSERT INTO config_sums (
    sweep_id, job_id, n, diverged, failed, final_mean, final_deviation, final_low, final_high, best_mean,
    best_deviation, best_low, best_high, mean_seconds, objective_mean, swept
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
