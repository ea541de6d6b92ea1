//! What can go wrong with a dataset, by what the caller does about it.

use std::path::Path;

/// Why a dataset cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The source or artifact is not what it must be. Trying again gives the same answer.
    #[error("{what}: {problem}")]
    Refused {
        /// The file, URL or archive entry that is meant.
        what: String,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{what}: {action} failed")]
    Io {
        /// The file that is meant.
        what: String,
        /// What was tried: "open", "write" ...
        action: &'static str,
        /// The system's own reason.
        #[source]
        source: std::io::Error,
    },
    /// The bytes could not be fetched now; trying again may help.
    #[error("{what}: {problem}")]
    Unavailable {
        /// The URL or digest that is meant.
        what: String,
        /// What happened.
        problem: String,
    },
}

impl DataError {
    /// Input that is refused.
    #[must_use]
    pub fn refused(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), problem: problem.into() }
    }

    /// Something that may work another time.
    #[must_use]
    pub fn unavailable(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Unavailable { what: what.into(), problem: problem.into() }
    }

    /// A file operation that failed.
    #[must_use]
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { what: path.display().to_string(), action, source }
    }

    /// True if the same call may succeed later: a network or disk at fault, not the data.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}
