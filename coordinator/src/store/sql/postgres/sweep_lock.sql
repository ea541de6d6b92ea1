-- Only in Postgres: whoever ends jobs of a sweep holds the sweep first, so that the last two jobs,
-- ending at once on two coordinators, cannot each see the other as running. SQLite has one writer.
-- Always before job rows, always by id.
SELECT id
FROM sweeps
WHERE id = $1
FOR NO KEY UPDATE
