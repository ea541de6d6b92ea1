SELECT size, kind
FROM artifacts
WHERE digest = $1
