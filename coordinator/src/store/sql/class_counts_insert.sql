-- What the confusion matrix of job $1 holds, where it has one that is not counted yet. One job at a time: no planner can
-- take it for many.
INSERT INTO class_counts (job_id, class, support, predicted, correct)
SELECT c.job, c.class, CAST(sum(c.support) AS BIGINT), CAST(sum(c.predicted) AS BIGINT), CAST(sum(c.correct) AS BIGINT)
FROM (SELECT job, target AS class, count AS support, 0 AS predicted,
             CASE WHEN target = predicted THEN count ELSE 0 END AS correct
      FROM confusion
      WHERE job = $1
      UNION ALL
      SELECT job, predicted AS class, 0 AS support, count AS predicted, 0 AS correct
      FROM confusion
      WHERE job = $1) c
WHERE true
GROUP BY c.job, c.class
ON CONFLICT (job_id, class) DO NOTHING
