-- The records of job $1 before step $3 of attempt $2.
DELETE FROM epochs
WHERE job_id = $1
  AND (attempt, step) < ($2, $3)
