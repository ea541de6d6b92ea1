//! `besom wait SWEEP`: ends when the sweep does, with the exit code that `besom run` would have
//! ended with.

use std::time::Duration;

use crate::{
    again::At,
    connect::{Access, Connection},
    output::Exit,
    settings::{Settings, Where},
    watching,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 if every job ended well, 1 if one failed or the sweep was cancelled.")]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Wait no longer than this (a number with s, m or h), and end with exit code 1 if the sweep
    /// has not ended by then
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// Print JSON: the sweep as it ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

/// Sweeps take days; a year is as good as no bound.
fn parse_timeout(text: &str) -> Result<Duration, String> {
    super::coordinator::time_up_to(text, 365.0 * 86_400.0, "8760h (365 days)")
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let exit = Connection::with(settings, &args.at, Access::Read, async |connection| {
        watching::wait(connection.sweeps(), &args.sweep, At::of(&args.at), args.timeout, args.json).await
    })
    .await?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_of_several_days_can_be_waited_for() {
        for (text, hours) in [("48h", 48), ("8760h", 8760), ("3600s", 1)] {
            assert_eq!(parse_timeout(text), Ok(Duration::from_secs(hours * 3600)), "{text}");
        }
        assert_eq!(
            parse_timeout("8761h"),
            Err("expected a time from 100ms to 8760h (365 days), got \"8761h\"".to_owned())
        );
        assert!(parse_timeout("2d").unwrap_err().starts_with("expected a time such as 30s"));
    }
}
