-- Ended sweeps whose importance does not count all of their runs yet, the latest first: nobody has
-- tried since the end, or somebody may still be at it. What was tried more than ten seconds ago has
-- failed, or its coordinator has: it has its turns.
SELECT s.id
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
WHERE s.state IN ('completed', 'cancelled')
  AND s.unsummed_after IS NULL
  AND (s.importance_tried_at IS NULL
       OR s.importance_tried_at < s.ended_at
       OR s.importance_tried_at + 10000000 > $1)
  AND COALESCE(s.importance_of, 0) <> CAST(c.succeeded AS DOUBLE PRECISION) + c.stopped + c.diverged + c.failed
ORDER BY s.ended_at DESC, s.id DESC
LIMIT 100
