-- To five seconds, so that a worker that waits for jobs does not cost a commit with every call.
UPDATE workers
SET last_seen_at = $2
WHERE id = $1
  AND last_seen_at <= $2 - 5000000
