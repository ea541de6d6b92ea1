-- Takes sweep $1 out of everybody's sight; its rows go later. No sweep can be called so, so its
-- name is free. Whoever works out its importance finds another number in `reopened` and keeps
-- nothing.
UPDATE sweeps
SET state = 'removing', name = 'removing/' || id, title = NULL, text = '', spec = NULL, ended_at = NULL, unsummed_after = NULL,
    reopened = reopened + 1
WHERE id = $1
