-- Pages over jobs that have records, so that an empty page is the last one. Without the page, or with EXISTS, Postgres may
-- read all epochs of the store for a join. One expression for both conditions: of its value Postgres expects nothing, whereas
-- its statistics of a fresh grid say that all jobs are queued, and it would sort the rest of the sweep for each page.
SELECT e.job_id AS job, e.attempt, e.step AS epoch, e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate, e.seconds,
       e.metrics
FROM (SELECT j.id, j.attempt
      FROM jobs j
      WHERE j.sweep_id = $1
        AND j.id > $2
        AND CASE j.state
            WHEN 'queued' THEN NULL
            ELSE (SELECT min(x.step) FROM epochs x WHERE x.job_id = j.id AND x.attempt = j.attempt)
            END IS NOT NULL
      ORDER BY j.id
      LIMIT $4) page
JOIN epochs e ON e.job_id = page.id AND e.attempt = page.attempt
ORDER BY page.id, e.step
LIMIT $3
