INSERT INTO sweep_counts (sweep_id)
SELECT id
FROM sweeps
WHERE name = $1
ON CONFLICT DO NOTHING
