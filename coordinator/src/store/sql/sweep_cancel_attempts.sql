-- From the open attempts, of which there are few, to their jobs.
UPDATE attempts
SET outcome = 'cancelled', ended_at = $2
WHERE outcome IS NULL
  AND (SELECT j.state FROM jobs j WHERE j.id = attempts.job_id AND j.sweep_id = $1) = 'cancelled'
