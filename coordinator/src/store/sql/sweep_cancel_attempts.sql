UPDATE attempts
SET outcome = 'cancelled', ended_at = $2
WHERE outcome IS NULL
  AND job_id IN (SELECT id FROM jobs WHERE sweep_id = $1 AND state = 'cancelled')
