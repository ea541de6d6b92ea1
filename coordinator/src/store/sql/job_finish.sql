-- From $14 on stand the promoted metrics, in their order: the last values of all, then the best
-- ones that have a column.
UPDATE jobs
SET state = $3, lease_until = NULL, ended_at = $4, error = NULL, hindrance = NULL, hindrances = 0,
    objective = $5, score = $6, best_epoch = $7, epochs_done = $8, epoch_seconds = $9, seconds = $10,
    final_model = $11, best_model = $12, metrics = $13,
    final_loss = $14, final_accuracy = $15, final_val_loss = $16, final_val_accuracy = $17,
    best_val_loss = $18, best_val_accuracy = $19
WHERE id = $1
  AND attempt = $2
  AND state = 'running'
