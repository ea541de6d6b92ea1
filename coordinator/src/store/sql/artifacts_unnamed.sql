-- Stored before $2, and nobody was told since then that it is there; nor since any running attempt
-- began, which may have stored it and come to name it only when a slow link or an outage lets it.
SELECT a.digest
FROM artifacts a
WHERE a.digest > $1
  AND a.created_at < $2
  AND a.created_at < COALESCE((SELECT min(started_at) FROM jobs WHERE state = 'running'), $2)
  AND (a.asked_at IS NULL
       OR (a.asked_at < $2 AND a.asked_at < COALESCE((SELECT min(started_at) FROM jobs WHERE state = 'running'), $2)))
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE final_model = a.digest)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE best_model = a.digest)
  AND NOT EXISTS (SELECT 1 FROM sweeps WHERE dataset = a.digest)
ORDER BY a.digest
LIMIT $3
