-- The job of the class behind the next 20,000, from job $1 on.
SELECT job_id
FROM class_counts
WHERE job_id >= $1
ORDER BY job_id, class
LIMIT 1
OFFSET 20000
