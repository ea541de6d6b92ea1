//! `besom completions SHELL`

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::output::{self, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "besom", &mut script);
    output::bytes(&script)?;
    Ok(Exit::Success)
}
