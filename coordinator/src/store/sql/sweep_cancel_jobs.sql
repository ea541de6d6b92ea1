-- By the indexes of what is open: the ended jobs of a sweep may be a million.
UPDATE jobs
SET state = 'cancelled', lease_until = NULL, ended_at = $2, hindrance = NULL, hindrances = 0
WHERE id IN (SELECT q.id FROM jobs q WHERE q.sweep_id = $1 AND q.state = 'queued'
             UNION ALL
             SELECT r.id FROM jobs r WHERE r.sweep_id = $1 AND r.state = 'running')
  AND state IN ('queued', 'running')
