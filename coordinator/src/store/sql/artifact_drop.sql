-- Unless a row names it, or somebody was told that it is there: since $2, or since any running
-- attempt began. Only one that was stored before $3.
DELETE FROM artifacts
WHERE digest = $1
  AND created_at < $3
  AND (asked_at IS NULL
       OR (asked_at < $2 AND asked_at < COALESCE((SELECT min(started_at) FROM jobs WHERE state = 'running'), $2)))
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE final_model = $1)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE best_model = $1)
  AND NOT EXISTS (SELECT 1 FROM sweeps WHERE dataset = $1)
