//! `besom-load`: measures a coordinator under load. One JSON object on stdout; see `--help`.

use std::process::ExitCode;

use besom_testkit::load::Cli;
use clap::Parser;

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this program has no other output module")]
async fn main() -> ExitCode {
    match Cli::parse().part.run().await {
        Ok(measured) => {
            println!("{measured}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("besom-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
