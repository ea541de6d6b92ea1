-- Only in Postgres: SQLite's artifacts are files, which are moved aside. The stored bytes are not
-- those of digest $1, as found at $2.
UPDATE artifacts
SET damaged_at = $2
WHERE digest = $1
  AND damaged_at IS NULL
