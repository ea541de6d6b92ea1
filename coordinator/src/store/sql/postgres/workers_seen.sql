-- Differs from SQLite: jsonb_array_elements_text. The workers in the list $1 have called by $2.
UPDATE workers
SET last_seen_at = $2
WHERE id IN (SELECT value::bigint FROM jsonb_array_elements_text($1))
  AND last_seen_at < $2
