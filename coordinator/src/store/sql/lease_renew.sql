-- The comparison of attempt and state is the fence: no row means that the lease is lost, for ever.
UPDATE jobs
SET lease_until = CASE WHEN lease_until < $3 THEN $3 ELSE lease_until END
WHERE id = $1
  AND attempt = $2
  AND state = 'running'
