//! Why a configuration is refused.

/// A configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    /// The hyperparameter or key.
    pub name: String,
    /// What is wrong with it and what would be right.
    pub problem: String,
}
