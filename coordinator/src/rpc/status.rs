//! From what went wrong to what a client is told: the one table of gRPC codes.
//!
//! Codes follow what the caller can do; messages are for people and hold no SQL, paths or secrets.
//! No call answers ABORTED for a stale attempt: every call about attempts takes several jobs and
//! answers each of them by itself.

use std::fmt::Display;

use besom_sweep::SpecErrors;
use tonic::Status;
use tracing::{debug, error};

use crate::{artifacts::ArtifactError, full_disk::is_no_space, store::StoreError};

/// The one reason for INTERNAL.
pub(super) const DAMAGED: &str = "the database is damaged or besom has a bug; the coordinator's log says where";

/// INVALID_ARGUMENT, the field first.
pub(super) fn invalid(field: impl Display, problem: impl Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}

/// The answer to a sweep file that is refused.
pub(super) fn of_spec(errors: &SpecErrors) -> Status {
    Status::invalid_argument(fitting(errors.to_string().lines()))
}

/// A message travels in a header, whose size clients bound: the lines that fit, and how many do
/// not.
pub(super) fn fitting<'l>(lines: impl IntoIterator<Item = &'l str>) -> String {
    const MOST: usize = 4_000;
    let (mut text, mut left_out) = (String::new(), 0);
    for line in lines {
        if left_out > 0 || text.len() + line.len() > MOST {
            left_out += 1;
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    match left_out {
        0 => text,
        _ => format!("{text}\n({left_out} more lines)"),
    }
}

/// The answer to what the store said. Damage is logged here and nowhere else.
impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { .. } => Self::not_found(error.to_string()),
            StoreError::AlreadyExists { .. } => Self::already_exists(error.to_string()),
            StoreError::InvalidState { .. } => Self::failed_precondition(error.to_string()),
            StoreError::TooMany { .. } => Self::resource_exhausted(error.to_string()),
            StoreError::Unavailable(source) => {
                // The reaper warns once for every outage; a line for every call of every worker
                // would bury it.
                debug!(error = %source, "the database is not available");
                Self::unavailable(error.to_string())
            }
            // The store itself tells the log, once a minute.
            StoreError::Full(_) => Self::resource_exhausted(error.to_string()),
            StoreError::Corrupt { .. } => {
                error!(%error, "the database is damaged or this build has a bug");
                Self::internal(DAMAGED)
            }
        }
    }
}

/// The answer to a reader. What is damaged is told with its place, since a reader can do something
/// about it; asking again cannot help, which is what INTERNAL would invite to.
pub(super) fn of_read(error: StoreError) -> Status {
    match &error {
        StoreError::Corrupt { .. } => {
            error!(%error, "the database is damaged or this build has a bug");
            Status::data_loss(format!("the store holds what cannot be read: {error}"))
        }
        _ => error.into(),
    }
}

/// The answer to what the artifact store said.
impl From<ArtifactError> for Status {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::NotFound(_) => Self::not_found(error.to_string()),
            // The bytes changed, or some were lost, on their way: sent again they may arrive right.
            ArtifactError::Mismatch { .. } => Self::data_loss(error.to_string()),
            ArtifactError::OtherKind { .. } => Self::failed_precondition(error.to_string()),
            ArtifactError::Offset { .. } => Self::out_of_range(error.to_string()),
            // Both broke off, and may go on. RESOURCE_EXHAUSTED would say that there is no room at
            // all: whoever sends would wait without end for a disk to be freed.
            ArtifactError::Superseded(_) | ArtifactError::Crowded(_) => Self::aborted(error.to_string()),
            ArtifactError::Io(source) if is_no_space(&source) => Self::resource_exhausted(
                "artifact storage: no space is left on the coordinator's disk; free some there, and all goes on by itself",
            ),
            ArtifactError::Io(source) => {
                error!(error = %source, "the artifact storage fails");
                Self::unavailable("artifact storage: a read or write failed; the coordinator's log says why")
            }
            ArtifactError::Store(source) => source.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::domain::Digest;

    #[test]
    fn each_store_error_has_the_code_of_what_the_caller_can_do() {
        let text = || "sweep \"x\"".to_owned();
        let cases = [
            (StoreError::NotFound { what: text() }, Code::NotFound),
            (StoreError::AlreadyExists { what: text() }, Code::AlreadyExists),
            (StoreError::InvalidState { what: text() }, Code::FailedPrecondition),
            (StoreError::TooMany { what: text() }, Code::ResourceExhausted),
            (StoreError::Unavailable("secret dsn".into()), Code::Unavailable),
            (StoreError::Full("secret path".into()), Code::ResourceExhausted),
            (StoreError::Corrupt { table: "jobs", id: text(), problem: "secret".to_owned() }, Code::Internal),
        ];
        for (error, code) in cases {
            let status = Status::from(error);
            assert_eq!(status.code(), code);
            assert!(!status.message().contains("secret"), "{}", status.message());
        }
    }

    #[test]
    fn an_upload_that_others_drove_out_is_not_told_that_the_disk_is_full() {
        let crowded = Status::from(ArtifactError::Crowded(Digest::parse(&"0".repeat(64)).unwrap()));
        assert_eq!(crowded.code(), Code::Aborted);
        assert!(crowded.message().contains("too many uploads are unfinished here"), "{}", crowded.message());
        let full = Status::from(ArtifactError::from(std::io::Error::from(std::io::ErrorKind::StorageFull)));
        assert_eq!(full.code(), Code::ResourceExhausted);
    }
}
