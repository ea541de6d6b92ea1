//! The command `besom`: sweeps hyperparameters on this machine or on many.
//!
//! Arguments become settings once (`settings`), settings become a coordinator to talk to
//! (`connect`), and each subcommand is one file under `commands`. Data go to stdout, everything
//! else to stderr. Exit code 0 is success, 1 a failure (a job failed, or the command could not be
//! done), 2 a wrong use (arguments, sweep file), 130 and 143 an end by SIGINT and SIGTERM.

mod again;
mod commands;
mod configurations;
mod confusion;
mod connect;
mod dataset;
mod export;
mod figures;
mod logging;
mod model_card;
mod new_file;
mod one_run;
mod output;
mod place;
mod predictions;
mod ranking;
mod reader;
mod render;
mod report;
mod results;
mod settings;
mod signals;
mod sorting;
mod submission;
mod sweep_file;
mod text;
mod trained;
mod transfer;
mod watching;

use std::process::ExitCode;

use crate::{
    commands::Cli,
    output::Exit,
    render::failure::{self, Failure},
};

fn main() -> ExitCode {
    // SAFETY: this is the first thing that the program does, so no other thread exists yet.
    #[allow(
        unsafe_code,
        reason = "the environment is the only way to tell the numeric library how many threads it has"
    )]
    unsafe {
        besom_mlp::set_single_threaded();
    }
    // One provider for the whole process; a second installation fails and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (cli, as_json) = match Cli::read() {
        Ok(read) => read,
        Err(error) => {
            if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
                Failure::of_arguments(&error.render().to_string()).print();
            }
            error.exit()
        }
    };
    let result = start(cli);
    if as_json {
        failure::print(&result);
    }
    code(output::finish(result))
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(match exit {
        Exit::Success => 0,
        Exit::Failed => 1,
        Exit::Usage => 2,
        Exit::Interrupted => signals::exit_code(),
    })
}

fn start(cli: Cli) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(commands::dispatch(cli));
    // A blocking task (a read from a stuck disk) must not keep a finished command alive.
    runtime.shutdown_background();
    signals::exit_if_a_sync_failed();
    result
}
