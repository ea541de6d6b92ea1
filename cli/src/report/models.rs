//! What trained models say of the test split: drawings with guesses, precision and recall by class, confusion.
//!
//! A sweep without a result, or one that kept no models, still has a report: what is missing says why. The counts of the
//! best run's model are there even where the model is not.

use std::sync::Arc;

use besom_dataset::Dataset;
use besom_proto::v1::{Run, Sweep, SweepRef};

use super::grid::Grid;
use crate::{
    connect::{Connection, refused},
    figures::{self, Format},
    output::printable,
    predictions::{self, Report, Sheet},
    render::{number, report, results::Results, state},
    settings::Settings,
    trained::{self, Choice, Trained},
};

/// What is asked of which models.
pub(crate) struct Asked<'a> {
    /// None: the best one, if there is one.
    pub(crate) models: &'a [Choice],
    /// How many drawings.
    pub(crate) samples: u32,
    /// Which ones.
    pub(crate) seed: u64,
}

/// The dataset and the models, or why they are not there.
pub(super) struct Models {
    pub(super) data: Result<Arc<Dataset>, String>,
    trained: Result<Vec<Trained>, String>,
    /// Of the best run, where its model is not there.
    stored: Option<Report>,
    samples: u32,
    seed: u64,
}

/// What the page shows of them; each part or why it is missing.
pub(super) struct Said {
    pub(super) predictions: Result<Drawings, String>,
    pub(super) confusion: Result<Matrices, String>,
}

/// Drawings with guesses.
pub(super) struct Drawings {
    pub(super) svg: String,
    /// How they were chosen.
    pub(super) about: String,
}

/// Over the whole test split.
pub(super) struct Matrices {
    /// None where only classes were counted.
    pub(super) svg: Option<String>,
    /// One a model.
    pub(super) by_class: Vec<ByClass>,
}

/// A model by class.
pub(super) struct ByClass {
    pub(super) title: String,
    pub(super) grid: Grid,
}

impl Models {
    /// Fetches them.
    ///
    /// # Errors
    /// A job that was asked for by its number has no model, and why; or the coordinator is away.
    pub(super) async fn fetch(
        connection: &Connection,
        settings: &Settings,
        results: &Results,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Self> {
        let sweep = &results.sweep;
        let trained = match asked.models {
            [] => trained::models(connection, sweep, &[Choice::Best]).await.map_err(|error| format!("{error:#}")),
            models => Ok(trained::models(connection, sweep, models).await?),
        };
        let data = trained::dataset(connection, settings, sweep).await.map_err(|error| format!("{error:#}"));
        let best = results.runs.first().filter(|run| run.objective.is_some());
        let stored = match (&trained, &data, best) {
            (Err(_), Ok(data), Some(best)) => stored(connection, best, data).await?,
            _ => None,
        };
        Ok(Self { data, trained, stored, samples: asked.samples, seed: asked.seed })
    }

    /// Asks the models.
    ///
    /// # Errors
    /// A model does not fit the data.
    pub(super) fn ask(&self, sweep: &Sweep) -> anyhow::Result<Said> {
        let title = state::title(sweep);
        let (data, models) = match (&self.data, &self.trained) {
            (Ok(data), Ok(models)) => (data, models),
            (_, Err(why)) | (Err(why), _) => {
                let confusion = match &self.stored {
                    Some(stored) => Ok(matrices(&title, std::slice::from_ref(stored))?),
                    None => Err(printable(why)),
                };
                return Ok(Said { predictions: Err(printable(why)), confusion });
            }
        };
        let rows = predictions::sample(data, self.samples, self.seed);
        let drawings = number::plural(rows.len() as u64, "drawing");
        let sheet = Sheet::of_test(format!("{title}: {drawings} of the test split"), models, data, &rows)?;
        let reports: Vec<Report> = models.iter().map(|model| Report::new(model, data)).collect::<Result<_, _>>()?;
        let about = format!(
            "{drawings} of the {} in the test split, which no model was trained on, drawn by lot (seed {}).",
            data.header().test,
            self.seed
        );
        let svg = String::from_utf8(figures::of_predictions(&sheet, Format::Svg)?)?;
        Ok(Said { predictions: Ok(Drawings { svg, about }), confusion: Ok(matrices(&title, &reports)?) })
    }
}

/// The counts that the coordinator keeps of a run's model.
async fn stored(connection: &Connection, run: &Run, data: &Dataset) -> anyhow::Result<Option<Report>> {
    let at = SweepRef { sweep: run.sweep.clone() };
    let mut all = connection.sweeps().stream_confusion(at).await.map_err(refused)?.into_inner();
    while let Some(one) = all.message().await.map_err(refused)? {
        if one.job == run.job {
            return Ok(one.confusion.and_then(|confusion| Report::stored(run, data.header(), confusion)));
        }
    }
    Ok(None)
}

fn matrices(title: &str, reports: &[Report]) -> anyhow::Result<Matrices> {
    let svg = match reports.iter().all(Report::has_pairs) {
        true => Some(String::from_utf8(figures::of_confusion(title, reports, Format::Svg)?)?),
        false => None,
    };
    Ok(Matrices { svg, by_class: reports.iter().map(by_class).collect() })
}

fn by_class(of: &Report) -> ByClass {
    let accuracy = number::metric(of.accuracy());
    let samples = number::plural(of.total(), "test sample");
    let title = format!("Job {}: {}; accuracy {accuracy} over {samples}", of.model.job, of.model.about);
    ByClass { title, grid: Grid::of_table("Precision and recall by class", &report::by_class(of)) }
}
