-- From the open attempts, of which there are few, to their jobs.
UPDATE job_attempts
SET outcome = 'cancelled', ended_at = $2
WHERE outcome IS NULL
  AND (SELECT j.state FROM jobs j WHERE j.id = job_attempts.job_id AND j.sweep_id = $1) = 'cancelled'
