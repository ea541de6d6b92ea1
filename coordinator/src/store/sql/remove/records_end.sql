-- The record behind the next 20,000, from job $1 on. Of whichever sweep: this one walks the key,
-- and never reads more.
SELECT job_id, attempt, step
FROM epochs
WHERE job_id >= $1
ORDER BY job_id, attempt, step
LIMIT 1
OFFSET 20000
