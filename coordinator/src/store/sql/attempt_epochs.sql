-- Those from step $3 to $4.
SELECT job_id AS job, attempt, step, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, metrics
FROM epochs
WHERE job_id = $1
  AND attempt = $2
  AND step >= $3
  AND step <= $4
ORDER BY step
