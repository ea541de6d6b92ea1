UPDATE jobs
SET state = $3, lease_until = NULL, ended_at = $4, error = NULL, hindrance = NULL, hindrances = 0,
    objective = $5, score = $6,
    final_loss = $7, final_accuracy = $8, final_val_loss = $9, final_val_accuracy = $10,
    best_val_loss = $11, best_val_accuracy = $12, best_epoch = $13,
    epochs_done = $14, epoch_seconds = $15, seconds = $16,
    final_model = $17, best_model = $18
WHERE id = $1
  AND attempt = $2
  AND state = 'running'
