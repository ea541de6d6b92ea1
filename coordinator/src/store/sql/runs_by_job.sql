-- The page is cut before the view is joined, so that an index finds it. Times come as numbers beside the view's text.
-- A range of one sweep in the order of jobs_sweep: with an equation Postgres may walk all jobs by their number, those of
-- older sweeps too, until it has a page.
SELECT r.sweep, r.sweep_id, r.job, r.state, r.optimizer, r.learning_rate, r.batch_size, r.epochs, r.hidden,
       r.activation, r.dropout, r.params, r.seed, r.objective, r.final_loss, r.final_accuracy, r.final_val_loss,
       r.final_val_accuracy, r.best_val_loss, r.best_val_accuracy, r.best_epoch, r.epochs_done, r.seconds, r.worker,
       r.n_attempts AS attempts, r.error, j.started_at, j.ended_at, r.model, r.dataset, r.engine, r.device, r.trainer,
       r.metrics
FROM (SELECT j.id, j.score, j.started_at, j.ended_at
      FROM jobs j
      WHERE j.sweep_id >= $1
        AND j.sweep_id <= $1
      ORDER BY j.sweep_id, j.id
      LIMIT $2 OFFSET $3) j
JOIN runs r ON r.job = j.id
ORDER BY j.id
