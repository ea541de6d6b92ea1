-- No attempt names a worker that was never granted anything.
DELETE FROM workers
WHERE has_leased = 0
  AND last_seen_at <= $1
