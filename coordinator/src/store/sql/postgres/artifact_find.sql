-- Differs from SQLite, whose damaged files are moved aside: a damaged artifact counts as missing.
SELECT size, kind
FROM artifacts
WHERE digest = $1
  AND damaged_at IS NULL
