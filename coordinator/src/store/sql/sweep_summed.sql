-- Sums that come late change what importance is worked out from: it counts as worked out from
-- nothing.
UPDATE sweeps
SET unsummed_after = $2, importance_of = NULL, importance_tried_at = NULL
WHERE id = $1
