//! `besom best SWEEP`

use crate::{
    connect::{Access, Connection},
    output::Exit,
    render,
    results::{self, Order},
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// At most so many runs
    #[arg(short = 'n', long, default_value_t = 20, value_parser = parse_limit)]
    limit: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

fn parse_limit(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&limit| limit > 0).ok_or_else(|| "a whole number from 1 on is meant".to_owned())
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let results = results::fetch(&connection.reader(), &args.sweep, Order::BestFirst, Some(args.limit)).await?;
        render::results::print(&results, args.json)?;
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
