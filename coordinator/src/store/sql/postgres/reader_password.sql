-- The password of the role for readers, which only the owner of the store can read: $1 the one to
-- be used if there is none yet.
INSERT INTO reader (id, password)
VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET password = reader.password
RETURNING password
