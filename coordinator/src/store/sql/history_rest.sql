-- What is left of one attempt's records behind an epoch.
SELECT e.job_id AS job, e.attempt, e.step AS epoch, e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate, e.seconds,
       e.metrics
FROM epochs e
WHERE e.job_id = $1
  AND e.attempt = $2
  AND e.step > $3
ORDER BY e.step
LIMIT $4
