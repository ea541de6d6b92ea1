//! `besom runs SWEEP`

use besom_sweep::JobState;

use super::best::parse_limit;
use crate::{
    connect::{Access, Connection},
    output::Exit,
    render,
    results::{self, Wanted},
    settings::{Settings, Where},
    sorting::Sort,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Only runs in these states, with commas: queued, running, succeeded, stopped, diverged,
    /// failed, cancelled
    #[arg(long, value_name = "STATE,...", value_delimiter = ',', value_parser = parse_state)]
    state: Vec<JobState>,
    /// By this column of the view `runs`, rows without a value last [default: job]
    #[arg(long, value_name = "COLUMN[:asc|desc]")]
    sort: Option<Sort>,
    /// At most so many runs [default: all]
    #[arg(short = 'n', long, value_parser = parse_limit)]
    limit: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

fn parse_state(text: &str) -> Result<JobState, String> {
    JobState::parse(text).ok_or_else(|| {
        let states: Vec<&str> = JobState::ALL.iter().map(|state| state.as_str()).collect();
        format!("expected one of {}", states.join(", "))
    })
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let wanted = Wanted { states: args.state, sort: args.sort, limit: args.limit };
        let results = results::select(&connection.reader(), &args.sweep, &wanted).await?;
        render::results::print(&results, args.json)?;
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
