-- Before jobs $2 to $3 of sweep $1 are retried: configurations, by their first jobs ($4 to $5), no
-- longer count those of them that failed.
UPDATE config_sums
SET failed = failed - (SELECT count(*)
                       FROM jobs f
                       JOIN jobs r ON r.sweep_id = f.sweep_id AND r.config_hash = f.config_hash
                       WHERE f.id = config_sums.job_id
                         AND r.id BETWEEN $2 AND $3
                         AND r.state = 'failed')
WHERE sweep_id = $1
  AND job_id BETWEEN $4 AND $5
  AND failed > 0
