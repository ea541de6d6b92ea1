SELECT c.job_id AS job, c.classes, c.counts
FROM jobs j
JOIN confusions c ON c.job_id = j.id
WHERE j.sweep_id = $1
  AND j.id > $2
ORDER BY j.id
LIMIT $3
