-- One that is there already has been stored by somebody else, who may drop it before this one names
-- it.
INSERT INTO artifacts (digest, kind, size, created_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (digest) DO UPDATE SET asked_at = excluded.created_at
RETURNING size, kind
