SELECT id
FROM sweeps
WHERE dataset = $1
ORDER BY id
