-- Jobs of sweep $1 end, by state, of $6 epochs together; their last attempts took $7 seconds. The
-- caller holds the sweep.
UPDATE sweep_counts
SET succeeded = succeeded + $2,
    stopped = stopped + $3,
    diverged = diverged + $4,
    failed = failed + $5,
    epochs_ended = epochs_ended + $6,
    epoch_seconds = epoch_seconds + $7
WHERE sweep_id = $1
