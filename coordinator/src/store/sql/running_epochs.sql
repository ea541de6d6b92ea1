-- A sum beyond its type would fail the statement: an epoch of a year does not count.
SELECT count(*) AS epochs,
       COALESCE(sum(CASE WHEN e.seconds BETWEEN 0.0 AND 31557600.0 THEN e.seconds ELSE 0.0 END), 0.0) AS epoch_seconds
FROM jobs j
JOIN epochs e ON e.job_id = j.id AND e.attempt = j.attempt
WHERE j.sweep_id = $1
  AND j.state = 'running'
