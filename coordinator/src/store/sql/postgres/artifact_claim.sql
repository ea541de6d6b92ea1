-- Differs from SQLite, whose damaged files are moved aside: a damaged artifact counts as missing.
-- Whoever hears that it is there is about to name it.
UPDATE artifacts
SET asked_at = $2
WHERE digest = $1
  AND damaged_at IS NULL
RETURNING size, kind
