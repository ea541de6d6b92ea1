-- The caller holds the sweep: no other transaction can be ending one of its jobs at the same time.
-- The first open job rather than EXISTS: with an order to keep, no planner reads the ended jobs to find one.
UPDATE sweeps
SET state = 'completed', ended_at = $2
WHERE id = $1
  AND state = 'active'
  AND jobs_created = jobs_total
  AND (SELECT id FROM jobs WHERE sweep_id = $1 AND state = 'queued' ORDER BY id LIMIT 1) IS NULL
  AND (SELECT id FROM jobs WHERE sweep_id = $1 AND state = 'running' ORDER BY id LIMIT 1) IS NULL
