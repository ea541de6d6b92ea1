-- Differs from Postgres, which keeps the bytes as well and knows which of them are damaged.
SELECT size, kind
FROM artifacts
WHERE digest = $1
