//! The subcommands, one file each; `cli` lists and starts them.

mod best;
mod cli;
mod clone;
mod completions;
mod coordinator;
mod dataset;
mod export;
mod plot;
mod predict;
mod report;
mod retry;
mod rm;
mod run;
mod runs;
mod show;
mod sql;
mod steer;
mod submit;
mod sweeps;
mod wait;
mod watch;
mod worker;
mod workers;

pub(crate) use self::cli::{Cli, dispatch};
