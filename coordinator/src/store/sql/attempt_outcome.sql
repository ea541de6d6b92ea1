SELECT outcome
FROM attempts
WHERE job_id = $1
  AND attempt = $2
