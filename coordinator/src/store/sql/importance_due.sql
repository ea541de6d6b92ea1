-- Sweeps with runs that have ended since their importance was last worked out, and that may be
-- weighed again at $1: ten seconds after the last try and twenty times as long as it took, or once
-- after the sweep's end. Twenty times, since the database and the coordinator work at it side by
-- side, and together they may take a tenth of a core.
SELECT s.id, s.importance_tried_at
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
WHERE s.unsummed_after IS NULL
  AND s.state <> 'removing'
  AND (s.importance_tried_at IS NULL
       OR s.importance_tried_at < s.ended_at
       OR (s.importance_tried_at + 10000000 <= $1
           AND s.importance_tried_at + 20 * COALESCE(s.importance_took, 0) <= $1))
  AND COALESCE(s.importance_of, 0) <> CAST(c.succeeded AS DOUBLE PRECISION) + c.stopped + c.diverged + c.failed
ORDER BY s.id
LIMIT 100
