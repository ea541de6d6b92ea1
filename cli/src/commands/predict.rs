//! `besom predict SWEEP`: what trained models say of drawings that they have never seen.

use std::path::{Path, PathBuf};

use besom_dataset::Values;
use besom_figures::{PredictionReport, Sheet, draw_confusion, draw_predictions};
use serde::Serialize;

use crate::{
    connect::{Access, Connection},
    figures::Format,
    new_file,
    output::{self, Exit, say, usage},
    predictions,
    render::{drawings, json, report, table::Table},
    settings::{Settings, Where},
    text::{number, state},
    trained::{self, Choice, Trained},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or number of the sweep
    sweep: String,
    /// Whose models: `best` or numbers of jobs, with commas
    #[arg(long, value_delimiter = ',', value_name = "JOB,...", default_value = "best")]
    models: Vec<Choice>,
    /// How many drawings of the test split
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    samples: u32,
    /// Which drawings
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw into this file: .svg or .png [default: in the terminal]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Predict your own drawings: .npz, .npy, IDX or .png, light on dark, of the shape that the
    /// model was trained on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["samples", "seed", "report"])]
    input: Option<PathBuf>,
    /// With --input: the drawings are dark on light; turn them round
    #[arg(long, requires = "input")]
    invert: bool,
    /// Show accuracy, precision and recall by class and the confusion matrix over the whole test
    /// split
    #[arg(long, conflicts_with_all = ["samples", "seed"])]
    report: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let format = args.out.as_deref().map(Format::of).transpose()?;
    let (sweep, models, dataset) = Connection::with(settings, &args.at, Access::Read, async |connection| {
        let sweep = connection.reader().sweep(&args.sweep).await?;
        let models = trained::models(connection, &sweep, &args.models).await?;
        let dataset = trained::dataset(connection, settings, &sweep).await?;
        Ok((sweep, models, dataset))
    })
    .await?;

    let title = state::title(&sweep);
    // Training blocks in the same way; nothing else waits for this thread.
    tokio::task::block_in_place(|| {
        let out = args.out.as_deref().zip(format);
        if args.report {
            let reports: Result<Vec<_>, _> = models.iter().map(|model| predictions::report(model, &dataset)).collect();
            show_reports(&title, &models, &reports?, args.json, out)
        } else if let Some(path) = &args.input {
            let header = dataset.header();
            let mut images = besom_dataset::read_images(path, &header.shape)?;
            if args.invert {
                let (Values::Bytes(values) | Values::Fractions(values)) = &mut images.values else {
                    let problem = "--invert: expected values from 0 to 255 or from 0 to 1, got others";
                    return Err(usage(format_args!("{problem} in {}; leave it out", path.display())));
                };
                values.iter_mut().for_each(|value| *value = 255 - *value);
            } else if images.bright_edge {
                say(format_args!(
                    "note: {} looks dark on light, and models learn from drawings that are light on dark: --invert turns it \
                     round",
                    path.display()
                ));
            }
            if let Some(note) = images.note_on_size(&dataset) {
                say(format_args!("note: {}: {note}", path.display()));
            }
            let sheet = predictions::of_images(format!("{title}: {}", path.display()), &models, images, &dataset)?;
            show(&sheet, &models, args.json, out, true)
        } else {
            let rows = predictions::sample(&dataset, args.samples, args.seed);
            let about = format!(
                "{title}: {} of the {} test samples, seed {}",
                number::plural(rows.len() as u64, "drawing"),
                dataset.header().test,
                args.seed
            );
            let sheet = predictions::of_test(about, &models, &dataset, &rows)?;
            show(&sheet, &models, args.json, out, false)
        }
    })?;
    Ok(Exit::Success)
}

/// `as_table`: one line a drawing rather than pictures.
fn show(
    sheet: &Sheet,
    models: &[Trained],
    as_json: bool,
    out: Option<(&Path, Format)>,
    as_table: bool,
) -> anyhow::Result<()> {
    if let Some((path, format)) = out {
        save(path, &format.bytes(&draw_predictions(sheet))?)?;
    }
    if as_json {
        return json::print(&Document::new(sheet, models));
    }
    if out.is_some() && !as_table {
        return Ok(());
    }
    let plain = |text: String| output::line(text);
    plain(sheet.title.clone())?;
    for model in 0..sheet.models.len() {
        plain(sheet.line(model))?;
    }
    if as_table {
        return plain(format!("\n{}", table(sheet).render()));
    }
    let text = drawings::sheet(sheet, output::stdout_width(), console::colors_enabled());
    // Names in it were made printable, and the escapes are ours.
    output::bytes(format!("\n{}", text.trim_end_matches('\n')).as_bytes())?;
    output::bytes(b"\n")
}

fn table(sheet: &Sheet) -> Table {
    let mut header = vec!["drawing".to_owned()];
    for model in &sheet.models {
        let of = if sheet.models.len() > 1 { format!("job {}: ", model.job) } else { String::new() };
        header.extend([format!("{of}class"), format!("{of}confidence")]);
    }
    let mut table = Table::new(header);
    for drawing in &sheet.drawings {
        let mut cells = vec![drawing.sample.to_string()];
        for guess in &drawing.guesses {
            cells.extend([sheet.classes[guess.class].clone(), format!("{:.4}", guess.confidence())]);
        }
        table.row(cells);
    }
    table
}

fn show_reports(
    title: &str,
    models: &[Trained],
    reports: &[PredictionReport],
    as_json: bool,
    out: Option<(&Path, Format)>,
) -> anyhow::Result<()> {
    if let Some((path, format)) = out {
        save(path, &format.bytes(&draw_confusion(title, reports))?)?;
    }
    if as_json {
        return json::print(&report::Document::new(title, models, reports));
    }
    for (n, one) in reports.iter().enumerate() {
        if n > 0 {
            output::line("")?;
        }
        output::line(report::text(title, one, output::stdout_width()))?;
    }
    Ok(())
}

fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    new_file::write(path, bytes)?;
    say(path.display());
    Ok(())
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    title: &'a str,
    synthetic: bool,
    dataset: &'a str,
    models: Vec<Model<'a>>,
    classes: &'a [String],
    drawings: Vec<Drawing<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    job: i64,
    model: &'a str,
    engine: &'a str,
    final_val_accuracy: Option<f64>,
}

#[derive(Serialize)]
struct Drawing<'a> {
    sample: u32,
    target: Option<&'a str>,
    guesses: Vec<Guess<'a>>,
}

#[derive(Serialize)]
struct Guess<'a> {
    job: i64,
    class: &'a str,
    confidence: f64,
    right: Option<bool>,
    probabilities: &'a [f64],
}

impl<'a> Document<'a> {
    fn new(sheet: &'a Sheet, models: &'a [Trained]) -> Self {
        let name = |class: usize| sheet.classes[class].as_str();
        let drawing = |drawing: &'a besom_figures::Drawing| Drawing {
            sample: drawing.sample,
            target: drawing.target.map(name),
            guesses: sheet
                .models
                .iter()
                .zip(&drawing.guesses)
                .map(|(model, guess)| Guess {
                    job: model.job,
                    class: name(guess.class),
                    confidence: guess.confidence(),
                    right: drawing.is_right(guess),
                    probabilities: &guess.probabilities,
                })
                .collect(),
        };
        Self {
            title: &sheet.title,
            synthetic: sheet.synthetic,
            dataset: models.first().map_or("", |model| model.model.dataset()),
            models: models.iter().map(Model::from).collect(),
            classes: &sheet.classes,
            drawings: sheet.drawings.iter().map(drawing).collect(),
        }
    }
}

impl<'a> From<&'a Trained> for Model<'a> {
    fn from(trained: &'a Trained) -> Self {
        Self {
            job: trained.job,
            model: &trained.digest,
            engine: trained.engine.as_str(),
            final_val_accuracy: trained.about.val_accuracy,
        }
    }
}
