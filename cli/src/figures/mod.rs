//! Figures of a sweep: curves, effects, heat map or parallel coordinates, importance, timeline; and those of its models.
//!
//! One file draws one figure from what `data` fetched; `canvas` and `raster` alone know the crates that draw. A figure
//! shows what there is: what diverged, failed or has not ended is marked and counted, never silently left out.

mod attempts;
mod axis;
mod canvas;
mod confusion;
mod curves;
mod data;
mod differences;
mod effects;
mod heatmap;
mod importance;
mod letters;
mod lines;
mod models;
mod page;
mod panel;
mod parallel;
mod predictions;
mod raster;
mod rows;
mod series;
mod style;
mod terminal;
mod timeline;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use besom_proto::v1::{Attempt, ImportanceResponse, sweep_service_client::SweepServiceClient};
use tonic::transport::Channel;

pub(crate) use self::models::{of_confusion, of_predictions};
use self::{canvas::Canvas, data::SweepData};

/// How a figure is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Vectors: sharp at every size, and text stays text
    Svg,
    /// Pixels, the same on every machine
    Png,
}

/// What can be drawn of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// val_accuracy and val_loss by epoch.
    Curves,
    /// Final val_accuracy against each hyperparameter.
    Effects,
    /// Final val_accuracy over two hyperparameters.
    Heatmap,
    /// Final val_accuracy over more of them.
    Parallel,
    /// How much each hyperparameter matters.
    Importance,
    /// Who ran which job when.
    Timeline,
}

impl Figure {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Curves, Self::Effects, Self::Heatmap, Self::Parallel, Self::Importance, Self::Timeline];
    /// What `run` draws at its end.
    pub(crate) const OF_A_RUN: [Self; 3] = [Self::Curves, Self::Effects, Self::Importance];

    /// The file's name without its suffix.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Curves => "curves",
            Self::Effects => "effects",
            Self::Heatmap => "heatmap",
            Self::Parallel => "parallel",
            Self::Importance => "importance",
            Self::Timeline => "timeline",
        }
    }

    fn draw(self, data: &SweepData) -> Option<Canvas> {
        match self {
            Self::Curves => curves::draw(data),
            Self::Effects => effects::draw(data),
            Self::Heatmap => heatmap::draw(data),
            Self::Parallel => parallel::draw(data),
            Self::Importance => importance::draw(data),
            Self::Timeline => timeline::draw(data),
        }
    }
}

/// A sweep's data, fetched once for all its figures.
pub(crate) struct Figures(SweepData);

impl Figures {
    /// Fetches what these figures are drawn from.
    ///
    /// # Errors
    /// No such sweep, or the coordinator is away.
    pub(crate) async fn fetch(
        client: SweepServiceClient<Channel>,
        sweep: &str,
        figures: &[Figure],
    ) -> anyhow::Result<Self> {
        Ok(Self(SweepData::fetch(client, sweep, figures.contains(&Figure::Timeline)).await?))
    }

    /// The sweep's name.
    pub(crate) fn sweep(&self) -> &str {
        &self.0.sweep.name
    }

    /// Every attempt at its jobs, by job; empty unless the timeline was asked for.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// How much each hyperparameter matters.
    pub(crate) fn importance(&self) -> &ImportanceResponse {
        &self.0.importance
    }

    /// The figure as SVG; nothing where it does not apply.
    pub(crate) fn svg(&self, figure: Figure) -> Option<String> {
        figure.draw(&self.0).map(|canvas| canvas.svg())
    }

    /// Whether anything was trained yet.
    ///
    /// # Errors
    /// Nothing was: says how far the sweep is.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.0.runs.iter().any(|run| !run.epochs.is_empty()) {
            return Ok(());
        }
        let counts = crate::text::state::counts(&self.0.sweep.counts.unwrap_or_default());
        anyhow::bail!("sweep {} has nothing to draw: no run has an epoch ({counts})", self.sweep())
    }

    /// Writes those of the figures that apply into `folder`, which is made; gives the paths.
    ///
    /// # Errors
    /// A figure cannot be drawn or written.
    pub(crate) fn write(&self, figures: &[Figure], folder: &Path, format: Format) -> anyhow::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut written = Vec::new();
        for figure in figures {
            let Some(canvas) = figure.draw(&self.0) else { continue };
            let (suffix, bytes) = match format {
                Format::Svg => ("svg", canvas.svg().into_bytes()),
                Format::Png => ("png", canvas.png().with_context(|| figure.name())?),
            };
            let path = folder.join(format!("{}.{suffix}", figure.name()));
            fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            written.push(path);
        }
        Ok(written)
    }

    /// The curves as text of so many columns, with colours if wanted.
    pub(crate) fn terminal(&self, columns: usize, colored: bool) -> String {
        terminal::draw(&self.0, columns, colored)
    }
}
