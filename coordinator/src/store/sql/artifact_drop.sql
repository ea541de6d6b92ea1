-- Unless a row names it, or somebody was told since $2 that it is there.
DELETE FROM artifacts
WHERE digest = $1
  AND (asked_at IS NULL OR asked_at < $2)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE final_model = $1)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE best_model = $1)
  AND NOT EXISTS (SELECT 1 FROM sweeps WHERE dataset = $1)
