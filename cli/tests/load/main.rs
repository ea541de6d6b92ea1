//! What a load costs in syncs and in questions to the database. These are counts, not times: they
//! hold on any machine.
//!
//! Real coordinators are put under load by the client of the testkit. On SQLite a small library
//! that is preloaded into the coordinator counts (scripts/load-syncs.c); Postgres counts by itself.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test and says where")]

mod counted;
#[path = "../support/mod.rs"]
mod support;
