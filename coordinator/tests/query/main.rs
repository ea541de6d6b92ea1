//! Results in SQL: through the RPC and on a store of one's own, on both databases.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hostile;
mod importance;
mod own_statements;
mod own_store;
mod readers;
#[path = "../sql_support/mod.rs"]
mod sql_support;
mod statements;
#[allow(dead_code, reason = "the tests of the services use all of it")]
#[path = "../rpc/support.rs"]
mod support;
