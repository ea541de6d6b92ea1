UPDATE job_attempts
SET outcome = $3, ended_at = $4, error = $5
WHERE job_id = $1
  AND attempt = $2
  AND outcome IS NULL
