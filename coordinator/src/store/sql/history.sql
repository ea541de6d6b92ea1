-- Pages over jobs that have records, so that an empty page is the last one. Not EXISTS: Postgres may turn that into a
-- join over all epochs.
SELECT e.job_id AS job, e.attempt, e.epoch, e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate, e.seconds,
       e.metrics
FROM (SELECT j.id, j.attempt
      FROM jobs j
      WHERE j.sweep_id = $1
        AND j.id > $2
        AND j.state <> 'queued'
        AND (SELECT min(x.epoch) FROM epochs x WHERE x.job_id = j.id AND x.attempt = j.attempt) IS NOT NULL
      ORDER BY j.id
      LIMIT $3) page
JOIN epochs e ON e.job_id = page.id AND e.attempt = page.attempt
ORDER BY e.job_id, e.epoch
