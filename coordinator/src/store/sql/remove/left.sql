-- How many jobs are left of sweep $1; no row: it is gone, or nobody removes it.
SELECT (SELECT count(*) FROM jobs WHERE sweep_id = $1)
FROM sweeps
WHERE id = $1
  AND state = 'removing'
