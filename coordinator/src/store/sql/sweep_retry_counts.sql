-- $2 failed and $3 cancelled jobs of sweep $1, of $4 epochs together that took $5 seconds, have not
-- ended any more. A sum of floats that is taken apart again may miss 0 by a little.
UPDATE sweep_counts
SET failed = failed - $2,
    cancelled = cancelled - $3,
    epochs_ended = epochs_ended - $4,
    epoch_seconds = CASE WHEN epoch_seconds > $5 THEN epoch_seconds - $5 ELSE 0.0 END
WHERE sweep_id = $1
