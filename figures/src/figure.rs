//! What can be drawn of a sweep.

use crate::{canvas::Canvas, curves, data::SweepData, effects, heatmap, importance, parallel, timeline};

/// A figure of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
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
    pub const ALL: [Self; 6] =
        [Self::Curves, Self::Effects, Self::Heatmap, Self::Parallel, Self::Importance, Self::Timeline];

    /// What a file of it is called, without a suffix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Curves => "curves",
            Self::Effects => "effects",
            Self::Heatmap => "heatmap",
            Self::Parallel => "parallel",
            Self::Importance => "importance",
            Self::Timeline => "timeline",
        }
    }

    /// Draws it; nothing where it does not apply to the sweep or there is nothing to show yet.
    #[must_use]
    pub fn draw(self, data: &SweepData) -> Option<Canvas> {
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
