SELECT c.support, c.predicted, c.correct
FROM class_counts c
WHERE c.job_id = $1
ORDER BY c.class
