-- For the jobs of sweep $1 after $2 up to $3 that have a confusion matrix and are not counted yet.
INSERT INTO class_counts (job_id, class, support, predicted, correct)
SELECT c.job, c.class, CAST(sum(c.support) AS BIGINT), CAST(sum(c.predicted) AS BIGINT), CAST(sum(c.correct) AS BIGINT)
FROM (SELECT job, target AS class, count AS support, 0 AS predicted,
             CASE WHEN target = predicted THEN count ELSE 0 END AS correct
      FROM confusion
      WHERE sweep_id = $1 AND job > $2 AND job <= $3
      UNION ALL
      SELECT job, predicted AS class, 0 AS support, count AS predicted, 0 AS correct
      FROM confusion
      WHERE sweep_id = $1 AND job > $2 AND job <= $3) c
WHERE true
GROUP BY c.job, c.class
ON CONFLICT (job_id, class) DO NOTHING
