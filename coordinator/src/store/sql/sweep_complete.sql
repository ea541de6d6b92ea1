-- The caller holds the sweep: no other transaction can be ending one of its jobs at the same time.
UPDATE sweeps
SET state = 'completed', ended_at = $2
WHERE id = $1
  AND state = 'active'
  AND jobs_created = jobs_total
  AND jobs_total = (SELECT c.succeeded + c.stopped + c.diverged + c.failed + c.cancelled
                    FROM sweep_counts c
                    WHERE c.sweep_id = $1)
