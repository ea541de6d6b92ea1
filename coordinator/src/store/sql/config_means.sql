SELECT swept, objective_mean
FROM config_sums
WHERE sweep_id = $1
  AND objective_mean IS NOT NULL
ORDER BY job_id
