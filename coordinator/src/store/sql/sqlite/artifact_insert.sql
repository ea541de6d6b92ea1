-- Only in SQLite, where artifacts are files; in Postgres the row comes with the bytes.
INSERT INTO artifacts (digest, kind, size, created_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
