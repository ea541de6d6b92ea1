//! What trained models say of the test split: drawings with guesses, precision and recall by class, confusion.
//!
//! A sweep without a result, or one that kept no models, still has a report: this part then says why it is missing.

use std::sync::Arc;

use besom_proto::v1::Sweep;
use besom_worker::data::Dataset;

use super::grid::Grid;
use crate::{
    connect::Connection,
    figures::{self, Format},
    predictions::{self, Report, Sheet},
    render::{number, report, state},
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
    samples: u32,
    seed: u64,
}

/// What the page shows of them.
pub(super) struct Said {
    /// The drawings as SVG.
    pub(super) predictions: String,
    /// How they were chosen.
    pub(super) about: String,
    /// The matrices as SVG.
    pub(super) confusion: String,
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
    /// A job that was asked for by its number has no model, and why.
    pub(super) async fn fetch(
        connection: &Connection,
        settings: &Settings,
        sweep: &Sweep,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Self> {
        let trained = match asked.models {
            [] => trained::models(connection, sweep, &[Choice::Best]).await.map_err(|error| format!("{error:#}")),
            models => Ok(trained::models(connection, sweep, models).await?),
        };
        let data = trained::dataset(connection, settings, sweep).await.map_err(|error| format!("{error:#}"));
        Ok(Self { data, trained, samples: asked.samples, seed: asked.seed })
    }

    /// Asks the models; or says why there is nothing to ask.
    ///
    /// # Errors
    /// A model does not fit the data.
    pub(super) fn ask(&self, sweep: &Sweep) -> anyhow::Result<Result<Said, String>> {
        let (data, models) = match (&self.data, &self.trained) {
            (Ok(data), Ok(models)) => (data, models),
            (_, Err(why)) | (Err(why), _) => return Ok(Err(why.clone())),
        };
        let title = state::title(sweep);
        let rows = predictions::sample(data, self.samples, self.seed);
        let drawings = number::plural(rows.len() as u64, "drawing");
        let sheet = Sheet::of_test(format!("{title}: {drawings} of the test split"), models, data, &rows)?;
        let reports: Vec<Report> = models.iter().map(|model| Report::new(model, data)).collect::<Result<_, _>>()?;
        let svg = |bytes: Vec<u8>| Ok::<_, anyhow::Error>(String::from_utf8(bytes)?);
        Ok(Ok(Said {
            predictions: svg(figures::of_predictions(&sheet, Format::Svg)?)?,
            about: format!(
                "{drawings} of the {} in the test split, which no model was trained on, drawn by lot (seed {}).",
                data.header().test,
                self.seed
            ),
            confusion: svg(figures::of_confusion(&title, &reports, Format::Svg)?)?,
            by_class: reports.iter().map(by_class).collect(),
        }))
    }
}

fn by_class(of: &Report) -> ByClass {
    let accuracy = number::metric(of.accuracy());
    let samples = number::plural(of.total(), "test sample");
    let title = format!("Job {}: {}; accuracy {accuracy} over {samples}", of.model.job, of.model.about);
    ByClass { title, grid: Grid::of_table("Precision and recall by class", &report::by_class(of)) }
}
