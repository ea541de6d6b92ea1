SELECT c.job_id AS job, c.classes, c.counts
FROM confusions c
WHERE c.job_id = $1
