-- Whether the role is there, $1, and what its rights are about.
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1),
       current_database()::text,
       current_schema()::text,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
