SELECT sweep_id, kind, parameter, second, value, cells, cells_total
FROM importances
WHERE sweep_id = $1
ORDER BY place
