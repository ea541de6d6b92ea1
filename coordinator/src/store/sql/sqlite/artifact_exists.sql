-- Only in SQLite, where artifacts are files.
SELECT count(*)
FROM artifacts
WHERE digest = $1
