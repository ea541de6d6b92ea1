-- Of the role that asks: whether it is more than a reader, and a table or foreign view that it can
-- read. $1: the documented views.
SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
           OR EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid)
           OR EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relowner = r.oid),
       (SELECT c.oid::regclass::text
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v')
          AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND n.nspname NOT LIKE 'pg\_toast%'
          AND NOT (c.relkind = 'v' AND c.relname = ANY($1))
          AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
          AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
        ORDER BY 1
        LIMIT 1)
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user
