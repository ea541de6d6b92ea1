-- Jobs are written to sweep $1 that ask for $2 epochs together; $3 of them, which is all or none,
-- are cancelled at once.
UPDATE sweep_counts
SET epochs = epochs + $2,
    cancelled = cancelled + $3,
    epochs_ended = epochs_ended + CASE WHEN $3 > 0 THEN $2 ELSE 0 END
WHERE sweep_id = $1
