DELETE FROM sweep_counts
WHERE sweep_id = $1
