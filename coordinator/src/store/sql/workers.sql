-- Those that called after $1; with $2 = 1 also those that ever held a job.
SELECT w.id, w.instance, w.name, w.host, w.slots, w.build, w.trainers, w.device, w.last_seen_at, w.left_at,
       w.gone_after,
       (SELECT count(*) FROM jobs j WHERE j.state = 'running' AND j.worker_id = w.id) AS running
FROM workers w
WHERE w.last_seen_at > $1
   OR ($2 = 1 AND w.has_leased = 1)
ORDER BY w.id
