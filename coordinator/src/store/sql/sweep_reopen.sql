-- $2 is the state that it goes on in. What importance was worked out from has changed, so it counts
-- as worked out from nothing; whoever is still at work on the former runs finds another number in
-- `reopened` and keeps nothing.
UPDATE sweeps
SET state = $2, ended_at = NULL, importance_of = NULL, importance_tried_at = NULL, reopened = reopened + 1
WHERE id = $1
