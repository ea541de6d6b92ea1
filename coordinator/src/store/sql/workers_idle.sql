-- Workers that were never granted anything.
SELECT count(*)
FROM workers
WHERE has_leased = 0
  AND instance <> $1
