INSERT INTO workers (
    instance, name, host, slots, build, trainer_version, device, registered_at, last_seen_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (instance) DO UPDATE
SET name = excluded.name,
    host = excluded.host,
    slots = excluded.slots,
    build = excluded.build,
    trainer_version = excluded.trainer_version,
    device = excluded.device,
    last_seen_at = excluded.last_seen_at,
    left_at = NULL
RETURNING id
