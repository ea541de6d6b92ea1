//! `besom report SWEEP --out FILE`: a sweep as one HTML file to send.

use std::path::PathBuf;

use crate::{
    connect::{Access, Connection},
    output::{self, Exit},
    report::{Gathered, Page},
    settings::{Settings, Where},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// The file to write; it holds everything and loads nothing
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let connection = Connection::open(settings, &args.at, Access::Read).await?;
    let gathered = Gathered::fetch(&connection, &args.sweep).await;
    connection.close().await;
    let html = Page::new(&gathered?).html()?;
    std::fs::write(&args.out, html)?;
    output::line(args.out.display())?;
    Ok(Exit::Success)
}
