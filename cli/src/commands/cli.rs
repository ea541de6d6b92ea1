//! The arguments of the program, and which subcommand they start.

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{
    best, clone, completions, coordinator, dataset, export, plot, predict, report, retry, rm, run, runs, show, sql,
    steer, submit, sweeps, wait, watch, worker, workers,
};
use crate::{logging, output::Exit, settings::Settings};

/// Distributed hyperparameter sweeps with results in SQL
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Environment: BESOM_HOME (state and caches), BESOM_STORE, BESOM_COORDINATOR, BESOM_SLOTS, \
                        BESOM_LISTEN, BESOM_READER_URL, BESOM_LOG (a log filter), NO_COLOR. Settings may also stand in \
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
    /// Serve sweeps to workers and clients
    Coordinator(coordinator::Args),
    /// Join a coordinator and train its jobs
    Worker(worker::Args),
    /// Hand a sweep to a coordinator
    Submit(submit::Args),
    /// Follow a sweep until it ends
    Watch(watch::Args),
    /// Wait until a sweep ends, without showing it
    Wait(wait::Args),
    /// List the sweeps
    Sweeps(sweeps::Args),
    /// List the runs of a sweep, by job
    Runs(runs::Args),
    /// Rank the runs of a sweep, best first
    Best(best::Args),
    /// Show one run: hyperparameters, results, curve, attempts, model
    Show(show::Args),
    /// Draw a sweep: curves, effects, heat map or parallel coordinates, importance, timeline
    Plot(plot::Args),
    /// Write a sweep as one HTML file to send: ranking, figures, predictions, statistics, failures,
    /// versions
    Report(report::Args),
    /// List the workers
    Workers(workers::Args),
    /// Hand out no more jobs of a sweep; running ones finish
    Pause(steer::Args),
    /// Hand out the jobs of a paused sweep again
    Resume(steer::Args),
    /// End a sweep: its unfinished jobs are cancelled
    Cancel(steer::Args),
    /// Put the failed and cancelled jobs of a sweep back into the queue
    Retry(retry::Args),
    /// Remove an ended sweep with its runs, and the artifacts that no other sweep names
    Rm(rm::Args),
    /// Write the file of a sweep with other values, as a new file to edit
    Clone(clone::Args),
    /// Look at datasets, or fetch them ahead of time
    Dataset(dataset::Args),
    /// Show what trained models say of drawings that they have never seen, or of your own
    Predict(predict::Args),
    /// Write runs, epochs or a trained model to files for other programs
    Export(export::Args),
    /// Ask the store in SQL (views: runs, best_runs, history, config_stats, importance, failures
    /// and more)
    Sql(sql::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

impl Cli {
    /// Reads the arguments, and whether the command is to print JSON.
    ///
    /// # Errors
    /// Wrong arguments, or a question for help.
    pub(crate) fn read() -> Result<(Self, bool), clap::Error> {
        let mut matches = Self::command().try_get_matches()?;
        let as_json = asks_for_json(&matches);
        let cli = Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut Self::command()))?;
        Ok((cli, as_json))
    }
}

fn asks_for_json(matches: &ArgMatches) -> bool {
    let mut command = matches;
    while let Some((_, subcommand)) = command.subcommand() {
        command = subcommand;
    }
    matches!(command.try_get_one::<bool>("json"), Ok(Some(true)))
}

/// Carries out what was asked.
///
/// # Errors
/// Whatever stopped it, to be shown as one chain.
pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let serves = matches!(cli.command, Command::Coordinator(_) | Command::Worker(_));
    // The database driver warns of every statement that takes a second, as a person's own in `sql`
    // may.
    logging::init(cli.verbose, if serves { "info" } else { "warn,sqlx=error" })?;
    if serves || matches!(cli.command, Command::Run(_)) {
        besom_coordinator::raise_descriptor_limit();
    }
    let settings = match cli.command {
        Command::Completions(args) => return completions::run(&args),
        _ => Settings::load()?,
    };
    match cli.command {
        Command::Run(args) => run::run(args, &settings).await,
        Command::Coordinator(args) => coordinator::run(args, &settings).await,
        Command::Worker(args) => worker::run(args, &settings).await,
        Command::Submit(args) => submit::run(args, &settings).await,
        Command::Watch(args) => watch::run(args, &settings).await,
        Command::Wait(args) => wait::run(args, &settings).await,
        Command::Sweeps(args) => sweeps::run(args, &settings).await,
        Command::Runs(args) => runs::run(args, &settings).await,
        Command::Best(args) => best::run(args, &settings).await,
        Command::Show(args) => show::run(args, &settings).await,
        Command::Plot(args) => plot::run(args, &settings).await,
        Command::Report(args) => report::run(args, &settings).await,
        Command::Workers(args) => workers::run(args, &settings).await,
        Command::Pause(args) => steer::run(steer::Steer::Pause, args, &settings).await,
        Command::Resume(args) => steer::run(steer::Steer::Resume, args, &settings).await,
        Command::Cancel(args) => steer::run(steer::Steer::Cancel, args, &settings).await,
        Command::Retry(args) => retry::run(args, &settings).await,
        Command::Rm(args) => rm::run(args, &settings).await,
        Command::Clone(args) => clone::run(args, &settings).await,
        Command::Dataset(args) => dataset::run(args, &settings).await,
        Command::Predict(args) => predict::run(args, &settings).await,
        Command::Export(args) => export::run(args, &settings).await,
        Command::Sql(args) => sql::run(args, &settings).await,
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
