-- The caller holds the sweep: no other transaction can be ending one of its jobs at the same time.
UPDATE sweeps
SET state = 'completed', ended_at = $2
WHERE id = $1
  AND state = 'active'
  AND jobs_created = jobs_total
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE sweep_id = $1 AND state = 'queued')
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE sweep_id = $1 AND state = 'running')
