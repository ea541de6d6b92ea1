//! How much each hyperparameter of a sweep matters.

use super::Timestamp;

/// What the numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportanceKind {
    /// Of a grid: the share of the variance of the cell means.
    VarianceShare,
    /// Of one_at_a_time: the largest mean less the smallest.
    Range,
}

impl ImportanceKind {
    /// The words that SQL and people see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VarianceShare => "variance share",
            Self::Range => "range",
        }
    }

    /// The reverse of [`ImportanceKind::as_str`].
    pub fn parse(words: &str) -> Option<Self> {
        [Self::VarianceShare, Self::Range].into_iter().find(|kind| kind.as_str() == words)
    }
}

/// Of one hyperparameter, or of a pair beyond what each does by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Its name.
    pub parameter: String,
    /// The pair's other one.
    pub second: Option<String>,
    /// A share from 0 to 1, or a difference of objectives.
    pub value: f64,
    /// What was compared: cells of the grid, or values of the parameter.
    pub cells: u64,
    /// Of so many that the sweep lists.
    pub cells_total: u64,
}

/// All of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// What the numbers mean.
    pub kind: ImportanceKind,
    /// When.
    pub computed_at: Timestamp,
    /// Hyperparameters in the file's order, then pairs.
    pub importances: Vec<Importance>,
}
