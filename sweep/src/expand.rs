//! From a [`SweepSpec`] to its points and jobs, in order of work: seed by seed, point by point.
//!
//! A point is kept as one bit, never as values: a sweep of a million points takes some hundred
//! kilobytes. The first of equal points stays, so a job keeps its index however often the sweep is
//! expanded.

use std::collections::HashSet;

use serde_json::json;

use crate::axes::{self, Axes, Dropped};
use crate::canonical::{canonical, sha256};
use crate::config::{Engine, JobConfig};
use crate::errors::{Faults, SpecErrors};
use crate::hyperparameters::Hyperparameters;
use crate::parse;
use crate::refusals::{MAX_JOBS, refusals};
use crate::spec::{Method, SpecError, SweepSpec};

/// Every job of a sweep, any of which can be computed by its index without the others: expansion
/// can stop and resume.
#[derive(Debug, Clone)]
pub struct Expansion {
    spec: SweepSpec,
    engine: Engine,
    axes: Axes,
    /// The first of equal points; `None`: all points differ.
    distinct: Option<Subset>,
    plan: Plan,
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
    pub const MAX_JOBS: u64 = MAX_JOBS;

    /// Works out the points of `spec`. `engine` is the command line's choice and beats the file's.
    ///
    /// # Errors
    /// More than [`Expansion::MAX_JOBS`] points or jobs, or more than one way to bound the
    /// gradient. The errors have no lines: [`Expansion::of_file`] knows them.
    pub fn new(spec: &SweepSpec, engine: Option<Engine>) -> Result<Self, SpecErrors> {
        Self::work_out(spec, engine).map_err(|errors| {
            let mut faults = Faults::default();
            errors.into_iter().for_each(|error| faults.add(error));
            faults.into_errors().expect("at least one error")
        })
    }

    /// As [`Expansion::new`]; `text` is the file that `spec` was read from.
    ///
    /// # Errors
    /// As [`Expansion::new`], each with its line.
    pub fn of_file(text: &str, spec: &SweepSpec, engine: Option<Engine>) -> Result<Self, SpecErrors> {
        Self::work_out(spec, engine).map_err(|errors| parse::locate(text, errors).expect("at least one error"))
    }

    fn work_out(spec: &SweepSpec, engine: Option<Engine>) -> Result<Self, Vec<SpecError>> {
        let refusals = refusals(spec);
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let listed = axes::count(spec).expect("the refusals bound it");
        let axes = Axes::new(spec);
        let mut notes = Vec::new();
        let distinct = distinct(&axes, listed, &mut notes);
        let points = distinct.as_ref().map_or(listed, Subset::len);
        let merged = listed - points;
        if merged > 0 {
            notes.push(format!(
                "{merged} of {listed} points {} merged",
                if merged == 1 { "is equal to an earlier one and was" } else { "are equal to earlier ones and were" }
            ));
        }
        let wanted = points.checked_mul(spec.seeds.len() as u64);
        let jobs = wanted.unwrap_or(u64::MAX).min(spec.run_cap.unwrap_or(u64::MAX));
        if jobs > MAX_JOBS {
            return Err(vec![SpecError {
                line: None,
                key: "besom.seeds".to_owned(),
                problem: format!(
                    "{points} points with {} seeds are more than {MAX_JOBS} jobs; set run_cap or fewer seeds",
                    spec.seeds.len()
                ),
            }]);
        }
        let jobs_cut = wanted.unwrap_or(u64::MAX) - jobs;
        if jobs_cut > 0 {
            notes.push(format!("run_cap {jobs} cuts {jobs_cut} of {} jobs", jobs + jobs_cut));
        }
        let swept = spec.parameters.iter().filter(|parameter| parameter.values.len() > 1);
        let swept = swept.map(|parameter| parameter.name.clone()).collect();
        Ok(Self {
            engine: engine.or(spec.engine).unwrap_or(Engine::Native),
            spec: spec.clone(),
            axes,
            distinct,
            plan: Plan { points, merged, jobs, jobs_cut, notes, swept },
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many jobs, after run_cap.
    pub fn jobs_total(&self) -> u64 {
        self.plan.jobs
    }

    /// The `index`-th distinct point; `index` is below [`Plan::points`].
    ///
    /// # Panics
    /// If there is no such point.
    pub fn point(&self, index: u64) -> Hyperparameters {
        assert!(index < self.plan.points, "point {index} of {}", self.plan.points);
        let listed = match &self.distinct {
            Some(kept) => kept.nth(index),
            None => index,
        };
        Hyperparameters::from_params(&self.axes.params(listed)).expect("every value was checked with the file")
    }

    /// The `index`-th job in order of work, on the dataset of this digest. `index` is below
    /// [`Expansion::jobs_total`].
    ///
    /// # Panics
    /// If there is no such job.
    pub fn job(&self, index: u64, dataset: &str) -> PlannedJob {
        assert!(index < self.plan.jobs, "job {index} of {}", self.plan.jobs);
        let seed = usize::try_from(index / self.plan.points).expect("at most MAX_JOBS seeds");
        let config = JobConfig {
            hyperparameters: self.point(index % self.plan.points),
            dataset: dataset.to_owned(),
            engine: self.engine,
        };
        PlannedJob { config, seed: self.spec.seeds[seed] }
    }

    /// SHA-256 of what the sweep means: the parsed file (not its layout or comments), the engine
    /// and the dataset.
    ///
    /// Not in it: the name and the description, and the dataset's source, for which its digest
    /// stands.
    pub fn sweep_digest(&self, dataset: &str) -> String {
        let spec = &self.spec;
        let mut parameters: Vec<_> = spec.parameters.iter().collect();
        match spec.method {
            // A grid is worked out over sorted names, whatever the file's order.
            Method::Grid => parameters.sort_by(|a, b| a.name.cmp(&b.name)),
            Method::OneAtATime => {}
        }
        let parameters: Vec<_> = parameters.into_iter().map(|p| json!([p.name, p.values])).collect();
        sha256(&canonical(&json!({
            "method": spec.method.as_str(),
            "metric": [spec.metric.name.as_str(), spec.metric.goal.as_str()],
            "objective": spec.scored_epoch.as_str(),
            "parameters": parameters,
            "base": spec.base,
            "model": spec.model,
            "dataset": dataset,
            "seeds": spec.seeds,
            "run_cap": spec.run_cap,
            "keep_models": spec.keep_models.as_str(),
            "engine": self.engine.as_str(),
        })))
    }
}

/// The first of equal points, or `None` where all differ; notes say what was dropped.
fn distinct(axes: &Axes, listed: u64, notes: &mut Vec<String>) -> Option<Subset> {
    let mut seen = HashSet::new();
    let mut kept = Subset::default();
    let mut dropped = vec![Dropped::default(); axes.options().len()];
    for index in 0..listed {
        let identity = axes.identity(index, &mut dropped);
        // A grid needs no memory of what it has seen, which would be fifty times as large as all
        // else.
        let first = match axes.first_of(&identity) {
            Some(first) => first == index,
            None => seen.insert(identity),
        };
        kept.push(first);
    }
    for (option, Dropped { points: count, without }) in axes.options().iter().zip(dropped) {
        if count > 0 {
            let points = if count == 1 { "point" } else { "points" };
            let without = without.join(", ");
            notes.push(format!("{} does not apply to {without}: dropped from {count} {points}", option.name));
        }
    }
    (kept.len() != listed).then_some(kept)
}

/// Some of the numbers from 0 on: a bit for each.
#[derive(Debug, Clone, Default)]
struct Subset {
    words: Vec<u64>,
    /// How many are in it before each word.
    before: Vec<u64>,
    numbers: u64,
    len: u64,
}

impl Subset {
    /// Says of the next number whether it is in it.
    fn push(&mut self, is_in: bool) {
        let bit = self.numbers % 64;
        if bit == 0 {
            self.words.push(0);
            self.before.push(self.len);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(is_in) << bit;
        }
        self.numbers += 1;
        self.len += u64::from(is_in);
    }

    fn len(&self) -> u64 {
        self.len
    }

    /// The `n`-th number in it, from 0; there must be one.
    fn nth(&self, n: u64) -> u64 {
        let place = self.before.partition_point(|&before| before <= n) - 1;
        let mut word = self.words[place];
        for _ in self.before[place]..n {
            word &= word - 1;
        }
        place as u64 * 64 + u64::from(word.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_finds_its_numbers_by_their_place() {
        for step in [1_u64, 2, 3, 63, 64, 65, 200] {
            let mut subset = Subset::default();
            for number in 0..1_000 {
                subset.push(number % step == step / 2);
            }
            let numbers: Vec<u64> = (0..1_000).filter(|number| number % step == step / 2).collect();
            assert_eq!(subset.len(), numbers.len() as u64);
            assert_eq!((0..subset.len()).map(|n| subset.nth(n)).collect::<Vec<_>>(), numbers, "{step}");
        }
    }

    #[test]
    fn a_grid_keeps_the_first_of_equal_points_without_remembering_any() {
        let file = "{method: grid, parameters: {optimizer: {values: [adam, sgd, rmsprop]}, \
                    momentum: {values: [0, 0.5, 0.5, 0.9]}, nesterov: {values: [true, false]}, \
                    schedule: {values: [constant, step, exponential]}, decay_rate: {values: [0.5, 0.1, 0.5]}, \
                    step_epochs: {values: [1, 2]}, patience: {values: [null, 3]}, min_delta: {values: [0.1, 0.0]}}, \
                    besom: {dataset: {source: 'builtin:sketches'}}}";
        let expansion = Expansion::new(&crate::parse(file).unwrap(), None).unwrap();
        let axes = &expansion.axes;
        let mut seen = HashSet::new();
        let mut dropped = vec![Dropped::default(); axes.options().len()];
        let first: Vec<u64> = (0..3 * 4 * 2 * 3 * 3 * 2 * 2 * 2)
            .filter(|&index| seen.insert(axes.identity(index, &mut dropped)))
            .collect();
        let kept = expansion.distinct.as_ref().unwrap();
        assert_eq!((0..kept.len()).map(|n| kept.nth(n)).collect::<Vec<_>>(), first);
        assert!(first.len() > 100 && first.len() < 1_000, "{}", first.len());
    }
}
