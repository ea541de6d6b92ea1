-- Only in Postgres: between reading a job and writing it nobody else may change it. SQLite has one writer.
SELECT id
FROM jobs
WHERE id = $1
FOR NO KEY UPDATE
