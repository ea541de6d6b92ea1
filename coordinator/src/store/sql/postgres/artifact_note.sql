-- One that is there already has been stored by somebody else, who may drop it before this one names
-- it. Whoever notes it has put all of its bytes, so it is no longer damaged.
INSERT INTO artifacts (digest, kind, size, created_at)
VALUES ($1, $2, $3, coalesce($4, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))
ON CONFLICT (digest) DO UPDATE SET asked_at = excluded.created_at, damaged_at = NULL
RETURNING size, kind
