-- One that somebody else holds is being named.
SELECT digest
FROM artifacts
WHERE digest = $1
FOR UPDATE SKIP LOCKED
