//! What a sweep may not ask for although each of its values is possible: too much, or what excludes one another.

use serde_json::Value;

use crate::axes;
use crate::hyperparameters::table;
use crate::{Params, SpecError, SweepSpec};

/// The most jobs (and points) that one sweep may have.
pub(crate) const MAX_JOBS: u64 = 1_000_000;

/// What no expansion of the file would make sense of, although each of its values is right by itself.
pub(crate) fn refusals(spec: &SweepSpec) -> Vec<SpecError> {
    let mut refusals = Vec::new();
    refusals.extend(two_clippings(spec));
    if axes::count(spec).is_none_or(|count| count > MAX_JOBS) {
        let problem = format!("more than {MAX_JOBS} points; list fewer values");
        refusals.push(SpecError { line: None, key: "parameters".to_owned(), problem });
    }
    refusals
}

/// What might combine into a point with two ways to bound the gradient, which Keras refuses too.
fn two_clippings(spec: &SweepSpec) -> Option<SpecError> {
    let place = |name: &str| {
        let swept = spec.parameters.iter().find(|parameter| parameter.name == name);
        let bounds = |values: &[Value]| values.iter().any(|bound| bound.as_f64() != Some(0.0));
        let bound = |params: &Params| params.get(name).is_some_and(|bound| bounds(std::slice::from_ref(bound)));
        if swept.is_some_and(|parameter| bounds(&parameter.values)) {
            return Some("parameters");
        }
        let blocks = [("besom.base", &spec.base), ("besom.model", &spec.model)];
        blocks.into_iter().find(|(_, params)| bound(params)).map(|(block, _)| block)
    };
    let (block, second) = table::CLIPPING.iter().filter_map(|name| Some((place(name)?, name))).nth(1)?;
    Some(SpecError { line: None, key: format!("{block}.{second}"), problem: table::ONE_CLIPPING.to_owned() })
}
