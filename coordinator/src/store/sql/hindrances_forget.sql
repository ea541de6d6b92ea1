-- The dataset of sweep $1 is in the store: a worker that looked a moment ago may still tell that it
-- is missing, and its job then waits no longer than it would the first time.
UPDATE jobs
SET hindrances = 0, error = NULL
WHERE sweep_id = $1
  AND state = 'running'
  AND hindrances > 0
