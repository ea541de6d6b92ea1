SELECT digest, kind
FROM artifacts
WHERE digest IN ($1, $2)
