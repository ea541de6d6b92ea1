-- Who calls, if this store knows it by all three: $1 worker, $2 secret, $3 identity of the store.
SELECT w.trainers, w.slots, w.left_at
FROM workers w
JOIN store s ON s.identity = $3
WHERE w.id = $1
  AND w.secret = $2
