//! Real processes in trouble: no descriptor left, a disk that fails or is full, a store under two
//! names.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test and says where")]

mod descriptors;
mod full_disk;
mod links;
mod submission;
#[path = "../support/mod.rs"]
mod support;
mod syncs;
