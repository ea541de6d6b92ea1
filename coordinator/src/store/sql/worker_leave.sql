UPDATE workers
SET left_at = $2, last_seen_at = $2
WHERE id = $1
