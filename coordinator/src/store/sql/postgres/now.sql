-- Only in Postgres, whose own clock judges leases for all coordinators.
SELECT COALESCE($1, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT))
