-- $2 jobs of sweep $1 are cancelled, and with them none is left open.
UPDATE sweep_counts
SET cancelled = cancelled + $2,
    epochs_ended = epochs
WHERE sweep_id = $1
