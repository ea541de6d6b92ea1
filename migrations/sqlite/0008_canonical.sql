-- Many classes: `counts` of `confusions` is a list of all counts, as before, or an object that has those that are not 0 by
-- their places in that list. Counts of 0 are not shown. What is no JSON hides no other.
DROP VIEW confusion;
CREATE VIEW confusion AS
SELECT s.name AS sweep,
       j.sweep_id,
       c.job_id AS job,
       CAST(v.key AS INTEGER) / c.classes AS target,
       CAST(v.key AS INTEGER) % c.classes AS predicted,
       v.value AS count
FROM jobs j
JOIN sweeps s ON s.id = j.sweep_id
JOIN confusions c ON c.job_id = j.id
JOIN json_each(CASE WHEN json_valid(c.counts) THEN c.counts ELSE '[]' END) v ON v.value IS NOT 0;
