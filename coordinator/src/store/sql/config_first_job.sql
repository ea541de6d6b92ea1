-- The first job of the configuration of job $1 within its sweep.
SELECT min(f.id)
FROM jobs j
JOIN jobs f ON f.sweep_id = j.sweep_id AND f.config_hash = j.config_hash
WHERE j.id = $1
