-- A job of sweep $1 ends in state $2, of $3 epochs that took $4 seconds. The caller holds the sweep.
UPDATE sweep_counts
SET succeeded = succeeded + CASE $2 WHEN 'succeeded' THEN 1 ELSE 0 END,
    stopped = stopped + CASE $2 WHEN 'stopped' THEN 1 ELSE 0 END,
    diverged = diverged + CASE $2 WHEN 'diverged' THEN 1 ELSE 0 END,
    failed = failed + CASE $2 WHEN 'failed' THEN 1 ELSE 0 END,
    epochs_ended = epochs_ended + $3,
    epoch_seconds = epoch_seconds + $4
WHERE sweep_id = $1
