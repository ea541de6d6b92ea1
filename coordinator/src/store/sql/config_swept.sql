SELECT s.swept, j.params
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
WHERE j.id = $1
