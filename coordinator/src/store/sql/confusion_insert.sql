INSERT INTO confusions (job_id, classes, counts)
VALUES ($1, $2, $3)
