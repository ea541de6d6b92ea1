-- From how many ended runs the importance was worked out, and how many there are now.
SELECT s.unsummed_after, s.reopened,
       COALESCE(s.importance_of, 0) AS weighed_runs,
       c.succeeded, c.stopped, c.diverged, c.failed
FROM sweeps s
JOIN sweep_counts c ON c.sweep_id = s.id
WHERE s.id = $1
  AND s.state <> 'removing'
