-- Pages over jobs that have records, so that an empty page is the last one. Without the page Postgres may read all epochs
-- of the store for a join. Not EXISTS: that may become such a join as well.
SELECT e.job_id AS job, e.attempt, e.epoch, e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate, e.seconds,
       e.metrics
FROM (SELECT j.id, j.attempt
      FROM jobs j
      WHERE j.sweep_id = $1
        AND j.id > $2
        AND j.state <> 'queued'
        AND (SELECT min(x.epoch) FROM epochs x WHERE x.job_id = j.id AND x.attempt = j.attempt) IS NOT NULL
      ORDER BY j.id
      LIMIT $4) page
JOIN epochs e ON e.job_id = page.id AND e.attempt = page.attempt
ORDER BY page.id, e.epoch
LIMIT $3
