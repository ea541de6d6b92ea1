//! The subcommands, one file each.

mod completions;
mod run;

use clap::{Parser, Subcommand};

use crate::{logging, output::Exit, settings::Settings};

/// Distributed hyperparameter sweeps with results in SQL
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Environment: BESOM_HOME (state and caches), BESOM_STORE, BESOM_COORDINATOR, BESOM_SLOTS, \
                        BESOM_LISTEN, BESOM_LOG (a log filter), NO_COLOR. Settings may also stand in \
                        $BESOM_HOME/config.toml.")]
pub(crate) struct Cli {
    /// Log more (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a sweep on this machine: local store, local workers, progress, table of the best runs
    Run(run::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Carries out what was asked.
///
/// # Errors
/// Whatever stopped it, to be shown as one chain.
pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let serves = false;
    logging::init(cli.verbose, if serves { "info" } else { "warn" })?;
    let settings = match cli.command {
        Command::Completions(args) => return completions::run(&args),
        _ => Settings::load()?,
    };
    match cli.command {
        Command::Run(args) => run::run(args, &settings).await,
        Command::Completions(args) => completions::run(&args),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_consistent() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }
}
