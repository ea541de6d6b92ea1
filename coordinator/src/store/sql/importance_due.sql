-- $3 is the latest time that is long enough ago.
UPDATE sweeps
SET importance_at = $2
WHERE id = $1
  AND (importance_at IS NULL OR importance_at <= $3)
