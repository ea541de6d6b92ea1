SELECT trainer_version
FROM workers
WHERE id = $1
  AND left_at IS NULL
