//! `besom export runs | history | model`: results and models as files for other programs.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::Context;
use besom_sweep::{Table, statements};

use crate::{
    connect::{Access, Connection},
    export::{self, Buffer, Encoder, Format},
    model_card,
    new_file::{self, NewFile},
    output::{self, Exit, say, usage},
    render::{json, written::Written},
    settings::{Settings, Where},
    text::number,
    trained::{self, Choice},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The runs of a sweep, one row a job: the SQL view `runs`
    Runs(View),
    /// The epochs of a sweep, one row each: the SQL view `history`
    History(View),
    /// A trained model: model.safetensors and model.json, which says how to use it
    Model(Model),
}

#[derive(Debug, clap::Args)]
struct View {
    /// Name or number of the sweep
    sweep: String,
    /// Write to this file [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How the file is laid out [default: as the suffix of --out says, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print JSON: the file and how many rows it has (the rows as JSON: --format jsonl)
    #[arg(long, requires = "out")]
    json: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, clap::Args)]
struct Model {
    /// Name or number of the sweep, and which job of it: SWEEP is the best one, SWEEP/12 is job 12
    #[arg(value_name = "SWEEP[/JOB]")]
    model: String,
    /// Write into this folder, which is made if needed [default: SWEEP-JOB]
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON: the job and the files
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    match args.command {
        Command::Runs(view) => runs(view, settings).await,
        Command::History(view) => history(view, settings).await,
        Command::Model(args) => model(args, settings).await,
    }
}

async fn runs(args: View, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let reader = connection.reader();
        let sweep = reader.sweep(&args.sweep).await?;
        let mut pages = reader.queries().pages(reader.paging(statements::RUNS, &sweep).await?);
        let mut file = Rows::begin(&args)?;
        while let Some(page) = pages.next().await? {
            file.add(&page)?;
        }
        file.end("run", &sweep.name, args.json)
    })
    .await?;
    Ok(Exit::Success)
}

async fn history(args: View, settings: &Settings) -> anyhow::Result<Exit> {
    Connection::with(settings, &args.at, Access::Read, async |connection| {
        let reader = connection.reader();
        let sweep = reader.sweep(&args.sweep).await?;
        let mut pages = reader.queries().pages(reader.paging(statements::LENGTHS, &sweep).await?);
        let mut file = Rows::begin(&args)?;
        while let Some(page) = pages.next().await? {
            let mut parts = reader.history(&sweep, &page)?;
            while let Some(part) = parts.next().await? {
                file.add(&part)?;
            }
        }
        file.end("epoch", &sweep.name, args.json)
    })
    .await?;
    Ok(Exit::Success)
}

async fn model(args: Model, settings: &Settings) -> anyhow::Result<Exit> {
    let (name, choice) = match args.model.split_once('/') {
        None => (args.model.as_str(), Choice::Best),
        Some((name, job)) => {
            let choice =
                job.parse::<Choice>().map_err(|problem| usage(format_args!("{}: {job:?}: {problem}", args.model)))?;
            (name, choice)
        }
    };
    let (sweep, model, dataset) = Connection::with(settings, &args.at, Access::Read, async |connection| {
        let sweep = connection.reader().sweep(name).await?;
        let model = trained::models(connection, &sweep, &[choice]).await?.pop().context("no model")?;
        let dataset = trained::dataset(connection, settings, &sweep).await?;
        Ok((sweep, model, dataset))
    })
    .await?;
    let card = serde_json::to_vec_pretty(&model_card::Card::new(&sweep, &model, dataset.header())?)?;
    let folder = args.out.unwrap_or_else(|| PathBuf::from(format!("{}-{}", sweep.name, model.job)));
    std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let files = ["model.safetensors", "model.json"].map(|name| folder.join(name));
    new_file::write(&files[0], &model.file)?;
    new_file::write(&files[1], &[card.as_slice(), b"\n"].concat())?;
    say(format_args!("job {} of sweep {}: {}", model.job, sweep.name, folder.display()));
    if args.json {
        json::print(&Written::new(&sweep.name, files).of_job(model.job))?;
    }
    Ok(Exit::Success)
}

/// Rows on their way to a file or to stdout.
struct Rows {
    format: Format,
    /// None until the first rows tell the columns.
    encoder: Option<Box<dyn Encoder + Send>>,
    buffer: Buffer,
    /// Stdout where it is none.
    file: Option<(NewFile, PathBuf)>,
    count: u64,
}

impl Rows {
    fn begin(args: &View) -> anyhow::Result<Self> {
        let format = match args.format {
            Some(format) => format,
            None => args.out.as_deref().map_or(Ok(Format::Csv), format_of)?,
        };
        if args.out.is_none() && format == Format::Parquet && std::io::stdout().is_terminal() {
            return Err(usage("Parquet is no text: say --out FILE"));
        }
        let file = args.out.as_ref().map(|path| Ok::<_, anyhow::Error>((NewFile::create(path)?, path.clone())));
        Ok(Self { format, encoder: None, buffer: Buffer::default(), file: file.transpose()?, count: 0 })
    }

    /// Writes all rows of a part. Every part has the same columns, and the first one may have no
    /// rows.
    fn add(&mut self, part: &Table) -> anyhow::Result<()> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => self.encoder.insert(export::encoder(self.format, &part.columns, self.buffer.clone())?),
        };
        for row in part.iter() {
            encoder.row(row)?;
        }
        self.count += part.rows.len() as u64;
        self.pass_on()
    }

    fn pass_on(&mut self) -> anyhow::Result<()> {
        let bytes = self.buffer.take();
        match &mut self.file {
            Some((file, _)) => file.write(&bytes),
            None => output::bytes(&bytes),
        }
    }

    fn end(mut self, what: &str, sweep: &str, as_json: bool) -> anyhow::Result<()> {
        if let Some(mut encoder) = self.encoder.take() {
            encoder.finish()?;
        }
        self.pass_on()?;
        if let Some((file, path)) = self.file {
            file.finish()?;
            say(format_args!("{}: {}", path.display(), number::plural(self.count, what)));
            if as_json {
                json::print(&Written::new(sweep, [path]).with_rows(self.count))?;
            }
        }
        Ok(())
    }
}

fn format_of(path: &Path) -> anyhow::Result<Format> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(usage(format_args!(
            "{}: the suffix says the format: .csv, .jsonl or .parquet; or say --format",
            path.display()
        ))),
    }
}
