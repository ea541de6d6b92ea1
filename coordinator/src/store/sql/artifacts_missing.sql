SELECT named.digest
FROM (SELECT $1 AS digest UNION SELECT $2) named
WHERE named.digest IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.digest = named.digest)
