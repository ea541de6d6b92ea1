INSERT INTO importances (sweep_id, place, kind, parameter, second, value, cells, cells_total)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
