-- Locked, so that they stay until the row that names them is there.
SELECT digest, kind
FROM artifacts
WHERE digest IN ($1, $2)
FOR KEY SHARE
