-- Only in Postgres: between reading jobs ($1, a list) and writing them nobody else may change them.
-- SQLite has one writer.
SELECT id
FROM jobs
WHERE id IN (SELECT value::bigint FROM jsonb_array_elements_text($1))
ORDER BY id
FOR NO KEY UPDATE
