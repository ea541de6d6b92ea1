//! `besom report SWEEP --out FILE`: a sweep as one HTML file to send.

use std::path::PathBuf;

use crate::{
    connect::{Access, Connection},
    new_file::NewFile,
    output::{self, Exit},
    render::{json, written::Written},
    report::{Asked, Gathered, Page},
    settings::{Settings, Where},
    trained::Choice,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// The file to write; it holds everything and loads nothing
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Whose predictions: `best` or numbers of jobs, with commas [default: best]
    #[arg(long, value_delimiter = ',', value_name = "JOB,...")]
    models: Vec<Choice>,
    /// How many drawings of the test split
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    samples: u32,
    /// Which drawings
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print JSON: the file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    // First: a place that cannot be written is told before anything is computed.
    let mut file = NewFile::create(&args.out)?;
    let gathered = Connection::with(settings, &args.at, Access::Read, async |connection| {
        let asked = Asked { models: &args.models, samples: args.samples, seed: args.seed };
        Gathered::fetch(connection, settings, &args.sweep, &asked).await
    })
    .await?;
    // Predictions block; nothing else waits for this thread.
    let html = tokio::task::block_in_place(|| Page::new(&gathered)?.html())?;
    file.write(html.as_bytes())?;
    file.finish()?;
    match args.json {
        true => json::print(&Written::new(gathered.sweep(), [&args.out]))?,
        false => output::line(args.out.display())?,
    }
    Ok(Exit::Success)
}
