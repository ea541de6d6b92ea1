-- Differs from SQLite: jsonb_array_elements, and locks. Of the workers in the list $1, each with
-- how many microseconds before $2 it called. In their order and without those that somebody else is
-- writing: nobody who holds a worker waits for this, nor this for them.
UPDATE workers
SET last_seen_at = seen.at
FROM (SELECT w.id, $2 - (e.value->>1)::bigint AS at
      FROM workers w
      JOIN jsonb_array_elements($1) e (value) ON w.id = (e.value->>0)::bigint
      WHERE w.last_seen_at < $2 - (e.value->>1)::bigint
      ORDER BY w.id
      FOR NO KEY UPDATE OF w SKIP LOCKED) seen
WHERE workers.id = seen.id
