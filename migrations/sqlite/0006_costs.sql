-- Importance is worked out beside the results, not with them. When somebody last began to, from how many ended runs the
-- kept one was worked out, and how long that took (in microseconds), so that it takes a small share of the time.
ALTER TABLE sweeps ADD COLUMN importance_tried_at INTEGER;
ALTER TABLE sweeps ADD COLUMN importance_of INTEGER;
ALTER TABLE sweeps ADD COLUMN importance_took INTEGER;

-- No statement uses it, and its random keys cost a third of what writing jobs writes.
DROP INDEX jobs_config;
