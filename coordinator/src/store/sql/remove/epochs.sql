-- Of jobs $2 to $3 of sweep $1, as all that follow. The limit, which never cuts any, tells the
-- planner how few they are.
DELETE FROM epochs
WHERE job_id IN (SELECT id FROM jobs WHERE sweep_id = $1 AND id BETWEEN $2 AND $3 ORDER BY id LIMIT 200)
