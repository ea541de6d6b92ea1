-- Differs from Postgres, which keeps the bytes as well and knows which of them are damaged.
-- Whoever hears that it is there is about to name it.
UPDATE artifacts
SET asked_at = $2
WHERE digest = $1
RETURNING size, kind
