-- Differs from Postgres: INDEXED BY, since without statistics SQLite may rather read all queued
-- jobs of the sweep. What keeps the jobs of sweep $1 from being trained, as the job says that waits
-- longest for it; no row: nothing.
SELECT h.error
FROM jobs h INDEXED BY jobs_hindered
WHERE h.sweep_id = $1
  AND h.state = 'queued'
  AND h.hindrance IS NOT NULL
ORDER BY h.not_before DESC, h.id
LIMIT 1
