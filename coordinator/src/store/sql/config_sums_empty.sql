-- Configurations of sweep $1, by their first jobs ($2 to $3), of which no run has ended any more.
DELETE FROM config_sums
WHERE sweep_id = $1
  AND job_id BETWEEN $2 AND $3
  AND n = 0
  AND diverged = 0
  AND failed = 0
  AND mean IS NULL
