-- The next jobs of sweep $1 with the models that they name, and the bytes of those. A range of one
-- sweep, in the order of the index on (sweep_id, id): a planner could otherwise walk the jobs of
-- all earlier sweeps.
SELECT j.id, j.final_model, j.best_model, COALESCE(f.size, 0) + COALESCE(b.size, 0) AS bytes
FROM jobs j
LEFT JOIN artifacts f ON f.digest = j.final_model
LEFT JOIN artifacts b ON b.digest = j.best_model
WHERE j.sweep_id >= $1
  AND j.sweep_id <= $1
ORDER BY j.sweep_id, j.id
LIMIT 200
