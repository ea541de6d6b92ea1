//! `besom plot SWEEP`: figures of a sweep as files, or its curves in the terminal.

use std::path::PathBuf;

use besom_figures::{Figure, draw_curves_as_text};

use crate::{
    connect::{Access, Connection},
    figures::{Figures, Format},
    output::{self, Exit},
    render::{json, written::Written},
    settings::{Settings, Where},
};

/// Where stdout is no terminal: what a page of text holds.
const COLUMNS: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// The folder for the figures, one file each [default: $BESOM_HOME/figures/SWEEP]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How they are stored
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// Draw the curves in the terminal, and write no file
    #[arg(long, conflicts_with_all = ["out", "format"])]
    term: bool,
    /// Print JSON: the files
    #[arg(long, conflicts_with = "term")]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let wanted = if args.term { &[Figure::Curves][..] } else { &Figure::ALL };
    let figures = Connection::with(settings, &args.at, Access::Read, async |connection| {
        Figures::fetch(&connection.reader(), &args.sweep, wanted).await
    })
    .await?;
    figures.check()?;
    if args.term {
        // Neither fewer columns than two panels need, nor wider than eyes follow.
        let columns = output::stdout_width().unwrap_or(COLUMNS).clamp(60, 160);
        let text = draw_curves_as_text(figures.data(), columns, console::colors_enabled());
        output::bytes(format!("{text}\n").as_bytes())?;
        return Ok(Exit::Success);
    }
    let folder = args.out.unwrap_or_else(|| settings.figures(figures.sweep()));
    let files = figures.write(wanted, &folder, args.format)?;
    if args.json {
        json::print(&Written::new(figures.sweep(), files))?;
        return Ok(Exit::Success);
    }
    for path in files {
        output::line(path.display())?;
    }
    Ok(Exit::Success)
}
