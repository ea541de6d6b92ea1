//! The page in words and numbers; the template sets it and escapes every text but the figures.

use askama::Template;
use besom_figures::Figure;
use besom_proto::v1::{Sweep, SweepState};
use besom_sweep::{Row, TableError};
use serde_json::{Map, Value};

use super::{
    failures,
    gathered::Gathered,
    grid::Grid,
    models::Said,
    statistics,
    subject::{self, Fact},
};
use crate::{
    configurations::{interval, told_apart},
    output::printable,
    render::{configs, runs},
    results::Order,
    text::{cut, is_val_accuracy, number, source, state},
};

/// Rows of the ranking.
const RANKED: usize = 20;

/// All that the template sets. Figures and the style are ours and go in as they are; everything
/// else is text.
#[derive(Template)]
#[template(path = "report.html")]
pub(crate) struct Page {
    style: &'static str,
    name: String,
    description: String,
    state: &'static str,
    synthetic: bool,
    /// How far an unfinished sweep is; empty for one that is over.
    unfinished: String,
    tiles: Vec<Tile>,
    search: Vec<Fact>,
    data: Vec<Fact>,
    parameters: Option<Grid>,
    ranked: Option<Grid>,
    ranked_words: String,
    ranking: Option<Grid>,
    figures: Vec<Drawn>,
    said: Said,
    configs: Option<Grid>,
    importance: Option<Grid>,
    importance_words: String,
    failures: Option<Grid>,
    versions: Vec<Fact>,
    command: String,
    file: String,
}

/// A number that is seen first.
struct Tile {
    name: String,
    value: String,
    about: String,
}

/// A figure with what it says.
struct Drawn {
    title: &'static str,
    about: &'static str,
    svg: String,
}

impl Page {
    /// The page of a sweep; asks its models.
    ///
    /// # Errors
    /// A model does not fit the data.
    pub(crate) fn new(gathered: &Gathered) -> anyhow::Result<Self> {
        let sweep = &gathered.sweep;
        let spec = besom_sweep::parse_stored(&sweep.text).ok();
        let spec = spec.as_ref();
        let counts = state::counts(&sweep.counts.unwrap_or_default());
        let unfinished = match sweep.state() {
            SweepState::Completed => String::new(),
            _ => {
                let ended = state::final_jobs(&sweep.counts.unwrap_or_default());
                format!("{ended} of {} have ended: {counts}", number::plural(sweep.jobs_total, "job"))
            }
        };
        Ok(Self {
            style: include_str!("../../templates/report.css"),
            name: printable(state::given_name(sweep)),
            description: printable(spec.and_then(|spec| spec.description.as_deref()).unwrap_or_default()),
            state: state::sweep(sweep.state),
            synthetic: source::is_synthetic(&sweep.dataset_source),
            unfinished,
            tiles: tiles(gathered)?,
            search: subject::search(gathered, spec)?,
            data: subject::data(gathered, spec),
            parameters: spec.map(subject::parameters),
            ranked: ranked(gathered)?,
            ranked_words: if gathered.is_by_config() { told_apart(&gathered.configs)? } else { String::new() },
            ranking: ranking(gathered)?,
            figures: figures(gathered),
            said: gathered.models.ask(sweep)?,
            configs: statistics::configs(gathered)?,
            importance: statistics::importance(gathered.figures.data().importances()),
            importance_words: statistics::importance_words(gathered.figures.data().importances(), &sweep.metric),
            failures: failures::attempts(gathered)?,
            versions: subject::versions(gathered, spec)?,
            command: printable(&subject::command(gathered, spec)?),
            file: printable(&match spec {
                Some(spec) => source::without_secrets(&sweep.text, &spec.dataset),
                None => source::without_secret(&sweep.text, &sweep.dataset_source),
            }),
        })
    }

    /// The file.
    ///
    /// # Errors
    /// None in practice: it writes to memory.
    pub(crate) fn html(&self) -> anyhow::Result<String> {
        Ok(self.render()?)
    }
}

fn tiles(gathered: &Gathered) -> Result<Vec<Tile>, TableError> {
    let sweep = &gathered.sweep;
    let mut tiles = Vec::new();
    if gathered.is_by_config()
        && let Some(best) = gathered.configs.row(0)
        && best.maybe_float("mean")?.is_some()
    {
        let ends = interval(best)?.map(|(low, high)| {
            format!("{} to {} (95 % interval)", number::metric(Some(low)), number::metric(Some(high)))
        });
        let about = [Some(number::plural(best.integer("n")?.unsigned_abs(), "run")), ends, point(best, sweep)?];
        tiles.push(Tile {
            name: format!("best mean {}", sweep.metric),
            value: number::metric(best.maybe_float("mean")?),
            about: about.into_iter().flatten().collect::<Vec<_>>().join(", "),
        });
    }
    if let Some(best) = gathered.best()? {
        let point = point(best, sweep)?.map_or_else(String::new, |point| format!(": {point}"));
        tiles.push(Tile {
            name: if gathered.is_by_config() {
                format!("best run's {}", sweep.metric)
            } else {
                format!("best {}", sweep.metric)
            },
            value: number::metric(best.maybe_float("objective")?),
            about: format!("job {}{point}", best.integer("job")?),
        });
    }
    tiles.push(Tile {
        name: "jobs".to_owned(),
        value: sweep.jobs_total.to_string(),
        about: state::counts(&sweep.counts.unwrap_or_default()),
    });
    let (mut epochs, mut seconds) = (0_u64, 0.0);
    for run in gathered.runs.iter() {
        let done = run.maybe_integer("epochs_done")?.and_then(|done| u64::try_from(done).ok());
        epochs = epochs.saturating_add(done.unwrap_or(0));
        seconds += run.maybe_float("seconds")?.unwrap_or(0.0);
    }
    tiles.push(Tile {
        name: "epochs trained".to_owned(),
        value: epochs.to_string(),
        about: format!("{} of training", number::duration_of(seconds)),
    });
    let slots: std::collections::BTreeSet<(&str, u32)> =
        gathered.figures.data().attempts().iter().map(|attempt| (attempt.worker.as_str(), attempt.slot)).collect();
    let workers: std::collections::BTreeSet<&str> = slots.iter().map(|(worker, _)| *worker).collect();
    tiles.push(Tile {
        name: "workers".to_owned(),
        value: workers.len().to_string(),
        about: number::plural(slots.len() as u64, "slot"),
    });
    Ok(tiles)
}

/// The swept hyperparameters of a run or a configuration with their values.
fn point(row: Row<'_>, sweep: &Sweep) -> Result<Option<String>, TableError> {
    let params: Map<String, Value> =
        row.maybe_text("params")?.and_then(|params| serde_json::from_str(params).ok()).unwrap_or_default();
    let values: Vec<String> =
        sweep.swept.iter().map(|name| format!("{name} {}", cut(number::value(params.get(name))))).collect();
    Ok((!values.is_empty()).then(|| values.join(", ")))
}

/// Configurations over their seeds; nothing where single runs say all.
fn ranked(gathered: &Gathered) -> Result<Option<Grid>, TableError> {
    if !gathered.is_by_config() {
        return Ok(None);
    }
    let (sweep, all) = (&gathered.sweep, gathered.configs.rows.len());
    let shown: Vec<Row<'_>> = gathered.configs.iter().take(RANKED).collect();
    let note = match all {
        all if all > RANKED => format!("The first {RANKED} of {all} configurations."),
        _ => String::new(),
    };
    let table = configs::table(&shown, &sweep.swept)?;
    Ok(Some(Grid::of_table("Configurations, best mean first", &table).moved("mean", 1).with_note(note)))
}

fn ranking(gathered: &Gathered) -> Result<Option<Grid>, TableError> {
    let (sweep, all) = (&gathered.sweep, gathered.runs.rows.len());
    if all == 0 {
        return Ok(None);
    }
    let shown: Vec<Row<'_>> = gathered.runs.iter().take(RANKED).collect();
    let table = runs::table(&shown, Order::BestFirst, &sweep.swept, &sweep.metric)?;
    let note = match all {
        all if all > RANKED => format!("The first {RANKED} of {all} runs."),
        _ => String::new(),
    };
    // What runs are ranked by is seen first, also where the rest is scrolled to.
    let by = if is_val_accuracy(&sweep.metric) { "final_val_accuracy" } else { sweep.metric.as_str() };
    Ok(Some(Grid::of_table("Runs, best first", &table).moved(by, 1).with_note(note)))
}

fn figures(gathered: &Gathered) -> Vec<Drawn> {
    let wanted: &[Figure] = if gathered.figures.check().is_ok() { &Figure::ALL } else { &[Figure::Timeline] };
    let drawn = wanted.iter().filter_map(|&figure| Some((figure, figure.draw(gathered.figures.data())?.svg())));
    drawn.map(|(figure, svg)| Drawn { title: title(figure), about: about(figure), svg }).collect()
}

fn title(figure: Figure) -> &'static str {
    match figure {
        Figure::Curves => "Learning curves",
        Figure::Effects => "Effect of each hyperparameter",
        Figure::Heatmap => "Two hyperparameters together",
        Figure::Parallel => "All hyperparameters together",
        Figure::Importance => "Importance",
        Figure::Timeline => "Timeline",
    }
}

fn about(figure: Figure) -> &'static str {
    match figure {
        Figure::Curves => "Validation accuracy and loss by epoch, a pair of panels for each swept hyperparameter.",
        Figure::Effects => "Validation accuracy after the last epoch against each hyperparameter.",
        Figure::Heatmap => "Validation accuracy after the last epoch in every cell; the best one is framed.",
        Figure::Parallel => "A line for each configuration; the best ones stand out, each with what sets it apart.",
        Figure::Importance => "How much each hyperparameter matters for the objective.",
        Figure::Timeline => "Which worker and slot ran which job when, and how each attempt ended.",
    }
}
