-- Sweeps with runs that have ended since their importance was last worked out, and that may be weighed again at $1: ten
-- seconds after the last try and ten times as long as it took, or once after the sweep's end.
SELECT s.id, s.importance_tried_at
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
WHERE s.unsummed_after IS NULL
  AND (s.importance_tried_at IS NULL
       OR s.importance_tried_at < s.ended_at
       OR (s.importance_tried_at + 10000000 <= $1
           AND s.importance_tried_at + 10 * COALESCE(s.importance_took, 0) <= $1))
  AND COALESCE(s.importance_of, 0) <> CAST(c.succeeded AS DOUBLE PRECISION) + c.stopped + c.diverged + c.failed
ORDER BY s.id
LIMIT 100
