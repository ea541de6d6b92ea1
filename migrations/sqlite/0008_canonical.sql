-- Many classes: `counts` of `confusions` is a list of all counts, as before, or an object that has those that are not 0 by
-- their places in that list. Counts of 0 are not shown.
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
JOIN json_each(c.counts) v ON v.value <> 0;
