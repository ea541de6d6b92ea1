-- In the order of two indexes, so that it stops after $3 records without looking at the others; the reader counts the jobs.
-- In the form of Postgres a page of jobs with a million records each would be sorted whole. CROSS JOIN keeps the jobs first.
SELECT e.job_id AS job, e.attempt, e.step AS epoch, e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate, e.seconds,
       e.metrics
FROM jobs j
CROSS JOIN epochs e ON e.job_id = j.id AND e.attempt = j.attempt
WHERE j.sweep_id = $1
  AND j.id > $2
  AND j.state <> 'queued'
ORDER BY j.id, e.step
LIMIT $3
