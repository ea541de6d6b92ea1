//! `besom best SWEEP`

use crate::{
    connect::{Access, Connection},
    output::Exit,
    ranking::{self, By},
    render,
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "With several seeds, a configuration is ranked by the mean of the objective over its runs that count, with the \
                        95 % interval of the mean by Student's t (low to high). A configuration whose interval overlaps that of \
                        the first one cannot be told from it (overlaps_best); one with fewer than two runs that count has no \
                        interval, and nothing can be said."
)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// What is ranked [default: config where the sweep has several seeds, else run]
    #[arg(long, value_enum)]
    by: Option<By>,
    /// At most so many places
    #[arg(short = 'n', long, default_value_t = 20, value_parser = parse_limit)]
    limit: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn parse_limit(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&limit| limit > 0).ok_or_else(|| "a whole number from 1 on is meant".to_owned())
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let ranking = ranking::fetch(&connection.reader(), &args.sweep, args.by, args.limit).await?;
        render::results::print_ranking(&ranking, args.json)?;
        Ok(())
    })
    .await?;
    Ok(Exit::Success)
}
