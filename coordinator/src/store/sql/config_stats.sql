-- The page is cut before the jobs are joined: where Postgres has no statistics yet it would join the rest of the sweep.
SELECT c.job_id AS job, j.config_hash, j.params, c.n, c.diverged, c.failed, c.final_mean, c.final_std,
       c.final_low, c.final_high, c.best_mean, c.best_std, c.best_low, c.best_high, c.mean_seconds,
       c.mean, c.std, c.low, c.high
FROM (SELECT *
      FROM config_sums
      WHERE sweep_id = $1
        AND job_id > $2
      ORDER BY job_id
      LIMIT $3) c
JOIN jobs j ON j.id = c.job_id
ORDER BY c.job_id
