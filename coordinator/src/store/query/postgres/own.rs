//! The statements that besom's own commands send.
//!
//! Where a database has no role for readers and the coordinator may not make one, these run with
//! the coordinator's rights, so that the commands work on every database. They are compared as
//! text, to the letter, and take their values as parameters only.

/// The commands take them from the same list.
const STATEMENTS: &[&str] = besom_sweep::statements::ALL;

/// Whether it is one of them.
pub(super) fn is_own(statement: &str) -> bool {
    STATEMENTS.contains(&statement)
}
