//! From a [`SweepSpec`] to its points and jobs, in order of work: seed by seed, point by point.

use crate::{Engine, Hyperparameters, JobConfig, SpecError, SweepSpec};

/// Every job of a sweep, any of which can be computed by its index without the others: expansion can stop and resume.
#[derive(Debug, Clone)]
pub struct Expansion {
    _todo: (),
}

/// A job as a sweep asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedJob {
    /// What is trained.
    pub config: JobConfig,
    /// With which randomness.
    pub seed: i64,
}

/// What a person sees before anything is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Distinct points.
    pub points: u64,
    /// Points that were equal to an earlier one.
    pub merged: u64,
    /// Jobs after run_cap.
    pub jobs: u64,
    /// Jobs that run_cap cut.
    pub jobs_cut: u64,
    /// What was dropped or merged, a sentence each.
    pub notes: Vec<String>,
    /// Parameters with more than one value, in file order.
    pub swept: Vec<String>,
}

impl Expansion {
    /// The most jobs that one sweep may have.
    pub const MAX_JOBS: u64 = 1_000_000;

    /// Works out the points of `spec`. `engine` is the command line's choice and beats the file's.
    ///
    /// # Errors
    /// More than [`Expansion::MAX_JOBS`] jobs, or a point whose values do not go together.
    pub fn new(_spec: &SweepSpec, _engine: Option<Engine>) -> Result<Self, SpecError> {
        unimplemented!()
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        unimplemented!()
    }

    /// How many jobs, after run_cap.
    pub fn jobs_total(&self) -> u64 {
        unimplemented!()
    }

    /// The `index`-th distinct point.
    pub fn point(&self, _index: u64) -> Hyperparameters {
        unimplemented!()
    }

    /// The `index`-th job in order of work, on the dataset of this digest. `index` is below [`Expansion::jobs_total`].
    pub fn job(&self, _index: u64, _dataset: &str) -> PlannedJob {
        unimplemented!()
    }

    /// SHA-256 of what the sweep means: the parsed file (not its layout or comments), the engine and the dataset.
    pub fn sweep_digest(&self, _dataset: &str) -> String {
        unimplemented!()
    }
}
