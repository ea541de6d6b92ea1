-- Its file goes after the commit.
INSERT INTO artifacts_dropped (digest)
VALUES ($1)
ON CONFLICT DO NOTHING
