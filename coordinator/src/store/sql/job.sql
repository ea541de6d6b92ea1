SELECT j.id AS job, j.sweep_id, j.state, j.attempt, j.failures, j.losses, j.error,
       s.metric, s.goal, s.objective, s.keep_models
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
WHERE j.id = $1
