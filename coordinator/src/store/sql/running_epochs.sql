-- The perceptron's records have no gaps, so the last one's number counts them; what a job of
-- unknown length has done counts for nothing. Their seconds are the mean of the latest 16 for each
-- of them: however many records there are, a job costs 16 rows. A sum beyond its type would fail
-- the statement: an epoch of a year does not count.
SELECT CAST(COALESCE(sum(r.epochs), 0) AS BIGINT) AS epochs, COALESCE(sum(r.epochs * r.seconds), 0.0) AS epoch_seconds
FROM (SELECT (SELECT max(e.step)
              FROM epochs e
              WHERE e.job_id = j.id AND e.attempt = j.attempt AND e.step <= 4294967295
                AND e.step <= COALESCE(j.epochs, 0)) AS epochs,
             (SELECT avg(l.seconds)
              FROM (SELECT CASE WHEN e.seconds BETWEEN 0.0 AND 31557600.0 THEN e.seconds ELSE 0.0 END AS seconds
                    FROM epochs e
                    WHERE e.job_id = j.id AND e.attempt = j.attempt
                    ORDER BY e.step DESC
                    LIMIT 16) l) AS seconds
      FROM jobs j
      WHERE j.sweep_id = $1
        AND j.state = 'running') r
