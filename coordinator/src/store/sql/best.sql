-- The run that leads a sweep; ties go to the job that comes first.
SELECT id AS job, objective, params
FROM jobs
WHERE sweep_id = $1
  AND score IS NOT NULL
ORDER BY score DESC NULLS LAST, id
LIMIT 1
