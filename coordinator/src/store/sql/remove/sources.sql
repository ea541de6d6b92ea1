DELETE FROM attempt_sources
WHERE job_id IN (SELECT id FROM jobs WHERE sweep_id = $1 AND id BETWEEN $2 AND $3 ORDER BY id LIMIT 200)
