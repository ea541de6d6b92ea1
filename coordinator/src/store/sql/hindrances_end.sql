-- The dataset of sweep $1 is in the store: jobs that wait for it may be handed out at once, and
-- wait for nothing any more.
UPDATE jobs
SET not_before = 0, hindrance = NULL, hindrances = 0, error = NULL
WHERE sweep_id = $1
  AND state = 'queued'
  AND hindrance = 'artifact'
