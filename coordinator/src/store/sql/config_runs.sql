-- The jobs of the configuration of job $1 within its sweep: all of its seeds, whatever became of
-- them.
SELECT r.id AS job, r.state, r.objective, r.final_val_accuracy AS last, r.best_val_accuracy AS best, r.seconds, r.params, s.swept
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN jobs r ON r.sweep_id = j.sweep_id AND r.config_hash = j.config_hash
WHERE j.id = $1
ORDER BY r.seed
