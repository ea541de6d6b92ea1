DELETE FROM artifact_chunks
WHERE digest = $1
