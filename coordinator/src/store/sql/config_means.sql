SELECT swept, mean AS objective_mean
FROM config_sums
WHERE sweep_id = $1
  AND mean IS NOT NULL
ORDER BY job_id
