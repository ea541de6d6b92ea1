-- Artifacts that sweep $1 names and no other one, and their bytes.
SELECT count(*) AS artifacts, CAST(COALESCE(sum(a.size), 0) AS BIGINT) AS bytes
FROM artifacts a
WHERE a.digest IN (SELECT final_model FROM jobs WHERE sweep_id = $1 AND final_model IS NOT NULL
                   UNION
                   SELECT best_model FROM jobs WHERE sweep_id = $1 AND best_model IS NOT NULL
                   UNION
                   SELECT dataset FROM sweeps WHERE id = $1)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE final_model = a.digest AND sweep_id <> $1)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE best_model = a.digest AND sweep_id <> $1)
  AND NOT EXISTS (SELECT 1 FROM sweeps WHERE dataset = a.digest AND id <> $1)
