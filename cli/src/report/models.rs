//! What trained models say of the test split: drawings with guesses, precision and recall by class,
//! confusion.
//!
//! A sweep without a result, or one that kept no models, still has a report: what is missing says
//! why. The counts of the best run's model are there even where the model is not.

use std::sync::Arc;

use besom_dataset::Dataset;
use besom_figures::{PredictionReport, draw_confusion, draw_predictions};
use besom_proto::v1::Sweep;
use besom_sweep::{Row, Table};

use super::{gathered::best_of, grid::Grid};
use crate::{
    confusion,
    connect::Connection,
    output::printable,
    predictions,
    render::report,
    settings::Settings,
    text::{number, state},
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
    stored: Option<PredictionReport>,
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
        sweep: &Sweep,
        runs: &Table,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Self> {
        let trained = match asked.models {
            [] => trained::models_among(connection, sweep, &[Choice::Best], runs)
                .await
                .map_err(|error| format!("{error:#}")),
            models => Ok(trained::models_among(connection, sweep, models, runs).await?),
        };
        let data = trained::dataset(connection, settings, sweep).await.map_err(|error| format!("{error:#}"));
        let stored = match (&trained, &data, best_of(runs)?) {
            (Err(_), Ok(data), Some(best)) => stored(connection, sweep, best, data).await?,
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
                    Some(stored) => Ok(matrices(&title, std::slice::from_ref(stored))),
                    None => Err(printable(why)),
                };
                return Ok(Said { predictions: Err(printable(why)), confusion });
            }
        };
        let rows = predictions::sample(data, self.samples, self.seed);
        let drawings = number::plural(rows.len() as u64, "drawing");
        let sheet = predictions::of_test(format!("{title}: {drawings} of the test split"), models, data, &rows)?;
        let reports: Vec<PredictionReport> =
            models.iter().map(|model| predictions::report(model, data)).collect::<Result<_, _>>()?;
        let about = format!(
            "{drawings} of the {} in the test split, which no model was trained on, drawn by lot (seed {}).",
            data.header().test,
            self.seed
        );
        let svg = draw_predictions(&sheet).svg();
        Ok(Said { predictions: Ok(Drawings { svg, about }), confusion: Ok(matrices(&title, &reports)) })
    }
}

/// The counts that the coordinator keeps of a run's model.
async fn stored(
    connection: &Connection,
    sweep: &Sweep,
    run: Row<'_>,
    data: &Dataset,
) -> anyhow::Result<Option<PredictionReport>> {
    let model = predictions::model(run)?;
    let classes = data.header().classes.len();
    let kept = confusion::fetch(&connection.reader(), sweep, model.job, classes).await?;
    Ok(kept.and_then(|kept| predictions::stored(model, data.header(), kept)))
}

fn matrices(title: &str, reports: &[PredictionReport]) -> Matrices {
    let svg = match reports.iter().all(PredictionReport::has_pairs) {
        true => Some(draw_confusion(title, reports).svg()),
        false => None,
    };
    Matrices { svg, by_class: reports.iter().map(by_class).collect() }
}

fn by_class(of: &PredictionReport) -> ByClass {
    let accuracy = number::metric(of.accuracy());
    let samples = number::plural(of.total(), "test sample");
    let title = format!("Job {}: {}; accuracy {accuracy} over {samples}", of.model.job, of.model.about);
    ByClass { title, grid: Grid::of_table("Precision and recall by class", &report::by_class(of)) }
}
