-- $3 is when somebody last tried, as it was read: only the first of several coordinators finds it
-- so.
UPDATE sweeps
SET importance_tried_at = $2
WHERE id = $1
  AND (importance_tried_at = $3 OR (importance_tried_at IS NULL AND $3 IS NULL))
