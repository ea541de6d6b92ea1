-- Pages over jobs that have attempts, so that an empty page is the last one.
SELECT a.job_id AS job, a.attempt, w.name AS worker, a.slot, a.started_at, a.ended_at, a.outcome, a.error
FROM (SELECT j.id
      FROM jobs j
      WHERE j.sweep_id = $1
        AND j.id > $2
        AND j.attempt > 0
      ORDER BY j.id
      LIMIT $3) page
JOIN job_attempts a ON a.job_id = page.id
JOIN workers w ON w.id = a.worker_id
ORDER BY a.job_id, a.attempt
