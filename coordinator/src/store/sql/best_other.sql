-- The sweep's best job but $2; ties go to the job that comes first.
SELECT id AS job, score
FROM jobs
WHERE sweep_id = $1
  AND id <> $2
  AND score IS NOT NULL
ORDER BY score DESC NULLS LAST, id
LIMIT 1
