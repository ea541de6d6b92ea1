-- Differs from SQLite: jsonb_array_elements_text, and locks. The workers in the list $1 have called by $2. In their order and
-- without those that somebody else is writing: nobody who holds a worker waits for this, nor this for them.
UPDATE workers
SET last_seen_at = $2
WHERE id IN (SELECT w.id
             FROM workers w
             WHERE w.id IN (SELECT value::bigint FROM jsonb_array_elements_text($1))
               AND w.last_seen_at < $2
             ORDER BY w.id
             FOR NO KEY UPDATE SKIP LOCKED)
