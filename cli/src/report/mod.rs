//! A sweep as one HTML file: what was swept on what data, the ranking, figures, statistics,
//! failures, and what it takes to repeat it.
//!
//! `gathered` fetches, `page` puts into words, the template sets. The file must never need anything
//! but itself: no script, nothing loaded; and whatever a name, a class or an error holds, it is
//! shown as text.

mod failures;
mod gathered;
mod grid;
mod models;
mod page;
mod statistics;
mod subject;

pub(crate) use self::{gathered::Gathered, models::Asked, page::Page};
