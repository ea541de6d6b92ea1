INSERT INTO config_sums (
    sweep_id, job_id, swept, n, diverged, failed, final_mean, final_std, final_low, final_high, best_mean,
    best_std, best_low, best_high, mean_seconds, mean, std, low, high
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (sweep_id, job_id) DO UPDATE
SET n = excluded.n,
    diverged = excluded.diverged,
    failed = excluded.failed,
    final_mean = excluded.final_mean,
    final_std = excluded.final_std,
    final_low = excluded.final_low,
    final_high = excluded.final_high,
    best_mean = excluded.best_mean,
    best_std = excluded.best_std,
    best_low = excluded.best_low,
    best_high = excluded.best_high,
    mean_seconds = excluded.mean_seconds,
    mean = excluded.mean,
    std = excluded.std,
    low = excluded.low,
    high = excluded.high
