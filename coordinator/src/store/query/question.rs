//! What is asked, and as whom.

use besom_sweep::Cell;

use super::limits::Limits;

/// A statement to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The statement.
    pub statement: String,
    /// The values of `$1`, `$2`, ...
    pub parameters: Vec<Cell>,
    /// What it may cost.
    pub limits: Limits,
}

/// As whom statements run on Postgres. SQLite has no roles: there all statements can read the views
/// and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// With the rights of the store's URL, for whoever names that URL.
    OfTheUrl,
    /// As a role that can read the views and nothing else: the one of this URL, else the one that
    /// the coordinator makes.
    OfAReader {
        /// `--reader-url`.
        url: Option<String>,
    },
}
