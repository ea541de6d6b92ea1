INSERT INTO config_sums (
    sweep_id, job_id, swept, n, diverged, failed, final_mean, final_deviation, final_low, final_high, best_mean,
    best_deviation, best_low, best_high, mean_seconds, objective_mean
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (sweep_id, job_id) DO UPDATE
SET n = excluded.n,
    diverged = excluded.diverged,
    failed = excluded.failed,
    final_mean = excluded.final_mean,
    final_deviation = excluded.final_deviation,
    final_low = excluded.final_low,
    final_high = excluded.final_high,
    best_mean = excluded.best_mean,
    best_deviation = excluded.best_deviation,
    best_low = excluded.best_low,
    best_high = excluded.best_high,
    mean_seconds = excluded.mean_seconds,
    objective_mean = excluded.objective_mean
