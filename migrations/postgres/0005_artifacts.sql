-- When somebody was last told that the artifact is there: an hour from then it stays, though no row names it.
ALTER TABLE artifacts ADD COLUMN asked_at BIGINT;

-- Who names an artifact.
CREATE INDEX jobs_final_model ON jobs (final_model) WHERE final_model IS NOT NULL;
CREATE INDEX jobs_best_model ON jobs (best_model) WHERE best_model IS NOT NULL;
CREATE INDEX sweeps_dataset ON sweeps (dataset);
