SELECT j.id AS job, j.attempt, w.name AS worker, j.slot, j.params, j.seed, j.epochs,
       e.step, e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate, e.seconds, e.metrics
FROM jobs j
JOIN workers w ON w.id = j.worker_id
LEFT JOIN epochs e ON e.job_id = j.id
                  AND e.attempt = j.attempt
                  AND e.step = (SELECT max(l.step) FROM epochs l WHERE l.job_id = j.id AND l.attempt = j.attempt)
WHERE j.sweep_id = $1
  AND j.state = 'running'
ORDER BY w.name, w.id, j.slot, j.id
LIMIT 256
