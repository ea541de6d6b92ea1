-- A worker that registers again keeps its secret: the answer to its first registration may have
-- been lost.
INSERT INTO workers (
    instance, name, host, slots, build, trainers, device, registered_at, last_seen_at, secret, has_leased,
    gone_after
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, 0, $10)
ON CONFLICT (instance) DO UPDATE
SET name = excluded.name,
    host = excluded.host,
    slots = excluded.slots,
    build = excluded.build,
    trainers = excluded.trainers,
    device = excluded.device,
    last_seen_at = excluded.last_seen_at,
    left_at = NULL,
    gone_after = excluded.gone_after,
    secret = CASE workers.secret WHEN '' THEN excluded.secret ELSE workers.secret END
RETURNING id, secret, (SELECT identity FROM store) AS store
