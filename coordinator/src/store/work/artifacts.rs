//! The rows of artifacts: which are stored, who names them, and which go because nobody does any
//! more.

use std::time::Duration;

use super::{
    dialect::{self, Conn},
    transaction::Handle,
};
use crate::{
    domain::{self, ArtifactKind, Completion, Digest, JobId, Stored, Timestamp},
    store::{
        error::{Failure, StoreError},
        way::Way,
    },
};

const DROP: &str = include_str!("../sql/artifact_drop.sql");
const UNNAMED: &str = include_str!("../sql/artifacts_unnamed.sql");
const MODELS: &str = include_str!("../sql/models_of.sql");

/// Artifacts looked at in one transaction that removes those without a name.
const PAGE: i64 = 200;

/// Whoever was told within this time that an artifact is there may still name it.
const CLAIMED: Duration = domain::UNNAMED;

fn before(now: Timestamp, age: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

/// What is wrong with the models that a completion names; `None` if each of them is stored, as a
/// model.
pub(super) async fn unfit_model(conn: &mut Conn, completion: &Completion) -> Result<Option<String>, Failure> {
    let [last, best] = [completion.final_model.as_ref(), completion.best_model.as_ref()];
    if last.is_none() && best.is_none() {
        return Ok(None);
    }
    let stored: Vec<(String, String)> = sqlx::query_as(dialect::NAMED_ARTIFACTS)
        .bind(last.map(Digest::as_str))
        .bind(best.map(Digest::as_str))
        .fetch_all(conn)
        .await?;
    Ok(last.into_iter().chain(best).find_map(|digest| {
        match stored.iter().find(|(stored, _)| stored == digest.as_str()) {
            None => Some(format!("its model {digest} is not stored")),
            Some((_, kind)) if kind != ArtifactKind::Model.as_str() => {
                Some(format!("expected {digest} to be a model, but it is a {kind}"))
            }
            Some(_) => None,
        }
    }))
}

/// The models that a job names.
pub(super) async fn models_of(conn: &mut Conn, job: JobId) -> Result<Vec<Digest>, Failure> {
    let models: Option<(Option<String>, Option<String>)> =
        sqlx::query_as(MODELS).bind(job.0).fetch_optional(conn).await?;
    let (last, best) = models.unwrap_or_default();
    Ok([last, best].into_iter().flatten().filter_map(|digest| Digest::parse(&digest)).collect())
}

/// Removes those of the artifacts that no row names any more, except those that somebody may be
/// about to name.
pub(super) async fn drop_unnamed<'d>(
    conn: &mut Conn,
    now: Timestamp,
    digests: impl IntoIterator<Item = &'d Digest>,
) -> Result<u64, Failure> {
    drop_older(conn, now, i64::MAX, digests).await
}

/// The same, of those that were stored before a time.
async fn drop_older<'d>(
    conn: &mut Conn,
    now: Timestamp,
    stored_before: i64,
    digests: impl IntoIterator<Item = &'d Digest>,
) -> Result<u64, Failure> {
    let mut dropped = 0;
    for digest in digests {
        if !dialect::lock_artifact(conn, digest).await? {
            continue;
        }
        let gone = sqlx::query(DROP)
            .bind(digest.as_str())
            .bind(before(now, CLAIMED))
            .bind(stored_before)
            .execute(&mut *conn)
            .await?;
        if gone.rows_affected() == 1 {
            sqlx::query(dialect::ARTIFACT_DROPPED).bind(digest.as_str()).execute(&mut *conn).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

async fn find(conn: &mut Conn, digest: &Digest) -> Result<Option<Stored>, Failure> {
    let row: Option<(i64, String)> =
        sqlx::query_as(dialect::FIND_ARTIFACT).bind(digest.as_str()).fetch_optional(conn).await?;
    Ok(row.map(stored))
}

async fn claim(conn: &mut Conn, now: Timestamp, digest: &Digest) -> Result<Option<Stored>, Failure> {
    let row: Option<(i64, String)> =
        sqlx::query_as(dialect::CLAIM_ARTIFACT).bind(digest.as_str()).bind(now.0).fetch_optional(conn).await?;
    Ok(row.map(stored))
}

fn stored((size, kind): (i64, String)) -> Stored {
    Stored { size: size.cast_unsigned(), kind }
}

/// One page of artifacts that nobody names: how many went, and the last one, where there may be
/// more.
async fn remove_page(
    conn: &mut Conn,
    now: Timestamp,
    after: &str,
    age: Duration,
) -> Result<(u64, Option<String>), Failure> {
    let old = before(now, age);
    let page: Vec<String> = sqlx::query_scalar(UNNAMED).bind(after).bind(old).bind(PAGE).fetch_all(&mut *conn).await?;
    let digests: Vec<Digest> = page.iter().filter_map(|digest| Digest::parse(digest)).collect();
    // One that went meanwhile may have been stored again.
    let dropped = drop_older(conn, now, old, &digests).await?;
    let last = page.into_iter().nth(PAGE as usize - 1);
    Ok((dropped, last))
}

/// The table `artifacts` of a store, for whoever keeps the bytes.
#[derive(Clone)]
pub struct ArtifactIndex {
    pub(in super::super) handle: Handle,
}

impl ArtifactIndex {
    /// The row.
    ///
    /// # Errors
    /// The database.
    pub async fn find(&self, digest: &Digest) -> Result<Option<Stored>, StoreError> {
        self.handle
            .run(Way::Ask, "find artifact", None, digest.clone(), |conn, _, digest| Box::pin(find(conn, digest)))
            .await
    }

    /// The row, which stays for a while from now on.
    ///
    /// # Errors
    /// The database.
    pub async fn claim(&self, digest: &Digest) -> Result<Option<Stored>, StoreError> {
        // What is not there, as with most uploads, costs no transaction that writes.
        if self.find(digest).await?.is_none() {
            return Ok(None);
        }
        self.handle
            .run(Way::Write, "claim artifact", None, digest.clone(), |conn, now, digest| {
                Box::pin(claim(conn, now, digest))
            })
            .await
    }

    /// Removes the rows of artifacts that no row has named for so long; says how many.
    ///
    /// # Errors
    /// The database.
    pub async fn remove_unnamed(&self, age: Duration) -> Result<u64, StoreError> {
        let (mut removed, mut after) = (0, Some(String::new()));
        while let Some(last) = after {
            let page = self.handle.run(Way::Write, "remove artifacts", None, (last, age), |conn, now, (last, age)| {
                Box::pin(remove_page(conn, now, last, *age))
            });
            let dropped;
            (dropped, after) = page.await?;
            removed += dropped;
        }
        Ok(removed)
    }
}
