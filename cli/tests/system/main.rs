//! The whole system as its users run it: real processes, real sockets, real databases, killed in
//! the middle.
//!
//! Every scenario ends with every job exactly once and the same numbers, bit for bit, as an
//! undisturbed `besom run` of the same file, model digests included. Each runs on SQLite and on a
//! private Postgres.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test and says where")]

// Its name comes first, and so it starts first: it waits for minutes while the others compute.
mod across_slow_links;
mod earlier;
mod invariants;
mod kills;
mod repeats;
mod replaced;
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
mod two_hosts;
mod world;
