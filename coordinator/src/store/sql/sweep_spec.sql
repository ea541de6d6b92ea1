-- The file only where it is needed: either may be long.
SELECT spec, CASE WHEN spec IS NULL THEN text END AS text
FROM sweeps
WHERE id = $1
