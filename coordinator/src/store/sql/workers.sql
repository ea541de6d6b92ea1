SELECT w.id, w.instance, w.name, w.host, w.slots, w.build, w.trainer_version, w.device, w.last_seen_at, w.left_at,
       (SELECT count(*) FROM jobs j WHERE j.state = 'running' AND j.worker_id = w.id) AS running
FROM workers w
WHERE w.last_seen_at > $1
ORDER BY w.id
