//! Artifacts as files: what SQLite knows of them beyond their rows.

use std::collections::HashSet;

use serde_json::json;

use super::dialect::{Conn, NOTE_ARTIFACT};
use crate::{
    domain::{Digest, Stored, Timestamp},
    store::error::Failure,
};

pub(super) async fn note(
    conn: &mut Conn,
    now: Timestamp,
    digest: &Digest,
    kind: &str,
    size: i64,
) -> Result<Stored, Failure> {
    let (size, kind): (i64, String) =
        sqlx::query_as(NOTE_ARTIFACT).bind(digest.as_str()).bind(kind).bind(size).bind(now.0).fetch_one(conn).await?;
    Ok(Stored { size: size.cast_unsigned(), kind })
}

pub(super) async fn with_prefix(conn: &mut Conn, prefix: &str) -> Result<HashSet<Digest>, Failure> {
    // No digit of a digest comes after an f.
    let rows: Vec<String> = sqlx::query_scalar("SELECT digest FROM artifacts WHERE digest >= $1 AND digest < $2")
        .bind(prefix)
        .bind(format!("{prefix}g"))
        .fetch_all(conn)
        .await?;
    Ok(digests(rows).collect())
}

pub(super) async fn dropped(conn: &mut Conn) -> Result<Vec<Digest>, Failure> {
    let rows = sqlx::query_scalar("SELECT digest FROM artifacts_dropped LIMIT 200").fetch_all(conn).await?;
    Ok(digests(rows).collect())
}

pub(super) async fn forget_dropped(conn: &mut Conn, digests: &[Digest]) -> Result<(), Failure> {
    let digests: Vec<&str> = digests.iter().map(Digest::as_str).collect();
    sqlx::query("DELETE FROM artifacts_dropped WHERE digest IN (SELECT value FROM json_each($1))")
        .bind(json!(digests))
        .execute(conn)
        .await?;
    Ok(())
}

fn digests(rows: Vec<String>) -> impl Iterator<Item = Digest> {
    rows.into_iter().filter_map(|digest| Digest::parse(&digest))
}
