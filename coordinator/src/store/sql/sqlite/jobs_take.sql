-- Differs from Postgres: SQLite admits one writer and this runs in BEGIN IMMEDIATE, so a plain
-- UPDATE excludes everybody else. attempts_open.sql follows in the same transaction, since SQLite
-- has no UPDATE inside WITH. INDEXED BY: without statistics SQLite would rather read all jobs of a
-- sweep, ended ones too. While one job of a sweep waits for the sweep's dataset, no other is handed
-- out to find the same. $1 worker, $2 object of versions by trainers, $3 sweep or null, $4 now, $5
-- lease until, $6 list of slots.
UPDATE jobs
SET state = 'running', attempt = attempt + 1, worker_id = $1, slot = given.slot, lease_until = $5, started_at = $4
FROM (SELECT picked.id, free.value AS slot
      FROM (SELECT id, row_number() OVER (ORDER BY sweep_id, id) - 1 AS place
            FROM (SELECT j.id, j.sweep_id
                  FROM sweeps s
                  CROSS JOIN jobs j INDEXED BY jobs_queued
                  WHERE j.sweep_id = s.id
                    AND s.state = 'active'
                    AND s.trainer_version = (SELECT t.value FROM json_each($2) t WHERE t.key = s.trainer)
                    AND ($3 IS NULL OR s.id = $3)
                    AND NOT EXISTS (SELECT 1
                                    FROM jobs h INDEXED BY jobs_hindered
                                    WHERE h.sweep_id = s.id
                                      AND h.state = 'queued'
                                      AND h.hindrance = 'artifact'
                                      AND h.not_before > $4)
                    AND j.state = 'queued'
                    AND j.not_before <= $4
                  ORDER BY s.id, j.id
                  LIMIT json_array_length($6))) picked
      JOIN json_each($6) free ON free.key = picked.place) given
WHERE jobs.id = given.id
RETURNING jobs.id, jobs.attempt, jobs.slot
