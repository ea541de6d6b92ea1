-- With each job, how many of its configuration come before it: only the first one's turn sums it.
SELECT j.id AS job,
       (SELECT count(*)
        FROM jobs e
        WHERE e.sweep_id = j.sweep_id AND e.config_hash = j.config_hash AND e.id < j.id) AS earlier
FROM jobs j
WHERE j.sweep_id = $1
  AND j.id > $2
ORDER BY j.id
LIMIT $3
