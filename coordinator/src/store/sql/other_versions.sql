SELECT s.trainer_version, count(*) AS jobs
FROM sweeps s
JOIN jobs j ON j.sweep_id = s.id AND j.state = 'queued'
WHERE s.state = 'active'
  AND s.trainer_version <> (SELECT trainer_version FROM workers WHERE id = $1)
GROUP BY s.trainer_version
ORDER BY s.trainer_version
