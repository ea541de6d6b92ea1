-- From how many ended runs the importance was worked out, and how many there are now.
SELECT s.text, s.ended_at, s.unsummed_after, s.importance_at,
       COALESCE(s.importance_of, 0) AS weighed_runs,
       (SELECT count(*)
        FROM jobs j
        WHERE j.sweep_id = s.id
          AND j.state IN ('succeeded', 'stopped', 'diverged', 'failed')) AS ended_runs
FROM sweeps s
WHERE s.id = $1
