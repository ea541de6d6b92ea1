DELETE FROM importances
WHERE sweep_id = $1
