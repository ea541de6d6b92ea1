-- Many classes: `counts` of `confusions` is a list of all counts, as before, or an object that has those that are not 0 by
-- their places in that list. Counts of 0 are not shown. What is no count, or neither list nor object, hides no other.
-- Replaced, not dropped: grants stay.
CREATE OR REPLACE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       v.place / c.classes AS target,
       v.place % c.classes AS predicted,
       v.count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN confusions c ON c.job_id = j.id
CROSS JOIN LATERAL (
    SELECT p.place,
           CASE jsonb_typeof(p.value)
           WHEN 'number' THEN CASE WHEN p.value::numeric BETWEEN 0 AND 9223372036854775807 THEN p.value::bigint END
           END AS count
    FROM (
        SELECT l.place - 1 AS place, l.value
        FROM jsonb_array_elements(CASE jsonb_typeof(c.counts) WHEN 'array' THEN c.counts ELSE '[]' END)
             WITH ORDINALITY AS l (value, place)
        UNION ALL
        SELECT CASE WHEN o.key ~ '^[0-9]{1,18}$' THEN o.key::bigint END, o.value
        FROM jsonb_each(CASE jsonb_typeof(c.counts) WHEN 'object' THEN c.counts ELSE '{}' END) AS o (key, value)
    ) p
) v
WHERE v.count IS DISTINCT FROM 0;
