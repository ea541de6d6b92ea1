//! How much each hyperparameter of a sweep matters.
//!
//! A grid is judged by analysis of variance over its cell means: one number a configuration, however many seeds it has,
//! so that every cell weighs the same. That needs a complete grid; [`super::subgrid`] says what is done with holes. Where
//! one parameter varies at a time there is no variance to share out, only how far each parameter moves the objective.

use std::collections::HashMap;

use besom_sweep::{Method, Params, SweepSpec};
use serde_json::Value;

use super::{Timestamp, subgrid::Grid};

/// What the numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportanceKind {
    /// Of a grid: the share of the variance of the cell means.
    VarianceShare,
    /// Of one_at_a_time: the largest mean less the smallest.
    Range,
}

impl ImportanceKind {
    /// The words that SQL and people see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VarianceShare => "variance share",
            Self::Range => "range",
        }
    }

    /// The reverse of [`ImportanceKind::as_str`].
    pub fn parse(words: &str) -> Option<Self> {
        [Self::VarianceShare, Self::Range].into_iter().find(|kind| kind.as_str() == words)
    }
}

/// Of one hyperparameter, or of a pair beyond what each does by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Its name.
    pub parameter: String,
    /// The pair's other one.
    pub second: Option<String>,
    /// A share from 0 to 1, or a difference of objectives.
    pub value: f64,
    /// What was compared: cells of the grid, or values of the parameter.
    pub cells: u64,
    /// Of so many that the sweep lists.
    pub cells_total: u64,
}

/// All of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// What the numbers mean.
    pub kind: ImportanceKind,
    /// When.
    pub computed_at: Timestamp,
    /// Hyperparameters in the file's order, then pairs.
    pub importances: Vec<Importance>,
}

/// What a configuration came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigMean {
    /// Its values of the swept parameters. One that its choices do not have is missing: it stands for all values.
    pub swept: Params,
    /// Mean of the objective over its seeds.
    pub mean: f64,
}

/// A parameter with at least two values.
struct Axis<'s> {
    name: &'s str,
    values: HashMap<Key, usize>,
}

/// A value, comparable: 32 and 32.0 are one.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Number(u64),
    Other(String),
}

impl Key {
    fn of(value: &Value) -> Self {
        match value.as_f64() {
            Some(number) => Self::Number((number + 0.0).to_bits()),
            None => Self::Other(value.to_string()),
        }
    }
}

/// The method's kind of number for each hyperparameter, and for each pair in a grid. A parameter of which fewer than two
/// values can be compared has none.
pub fn importance(spec: &SweepSpec, configs: &[ConfigMean]) -> (ImportanceKind, Vec<Importance>) {
    let axes: Vec<Axis<'_>> = spec
        .parameters
        .iter()
        .map(|parameter| {
            let mut values = HashMap::new();
            for value in &parameter.values {
                let next = values.len();
                values.entry(Key::of(value)).or_insert(next);
            }
            Axis { name: &parameter.name, values }
        })
        .filter(|axis| axis.values.len() > 1)
        .collect();
    match spec.method {
        Method::Grid => (ImportanceKind::VarianceShare, shares(&axes, configs)),
        Method::OneAtATime => (ImportanceKind::Range, ranges(&axes, &spec.base, configs)),
    }
}

/// Main effects and pairs as shares of the sum of squares of all cells about their mean.
fn shares(axes: &[Axis<'_>], configs: &[ConfigMean]) -> Vec<Importance> {
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
    let Some(mut grid) = Grid::new(&sizes) else { return Vec::new() };
    for config in configs {
        if let Some(place) = place(axes, config) {
            grid.set(&place, config.mean);
        }
    }
    let cells_total = grid.cells().len() as u64;
    let Some(grid) = grid.complete() else { return Vec::new() };
    let cells = grid.cells().len();
    let effects = Effects::of(&grid);
    let row = |parameter: &Axis<'_>, second: Option<&Axis<'_>>, share: f64| Importance {
        parameter: parameter.name.to_owned(),
        second: second.map(|second| second.name.to_owned()),
        value: share,
        cells: cells as u64,
        cells_total,
    };
    let varied: Vec<usize> = (0..axes.len()).filter(|&axis| grid.sizes()[axis] > 1).collect();
    let mut importances: Vec<Importance> =
        varied.iter().map(|&axis| row(&axes[axis], None, effects.main(axis))).collect();
    for (index, &a) in varied.iter().enumerate() {
        for &b in &varied[index + 1..] {
            importances.push(row(&axes[a], Some(&axes[b]), effects.pair(&grid, a, b)));
        }
    }
    importances
}

/// For each axis the value's index, or none where the configuration stands for all; `None` for a value that the file
/// does not list.
fn place(axes: &[Axis<'_>], config: &ConfigMean) -> Option<Vec<Option<usize>>> {
    axes.iter()
        .map(|axis| match config.swept.get(axis.name) {
            Some(value) => axis.values.get(&Key::of(value)).map(|&index| Some(index)),
            None => Some(None),
        })
        .collect()
}

/// The largest mean less the smallest over the values of each parameter, the others at their base.
fn ranges(axes: &[Axis<'_>], base: &Params, configs: &[ConfigMean]) -> Vec<Importance> {
    let at_base = |axis: &Axis<'_>, config: &ConfigMean| match (config.swept.get(axis.name), base.get(axis.name)) {
        (Some(value), Some(base)) => Key::of(value) == Key::of(base),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let mut importances = Vec::new();
    for axis in axes {
        let others = || axes.iter().filter(|other| other.name != axis.name);
        let mut means: Vec<Option<f64>> = vec![None; axis.values.len()];
        for config in configs {
            if let Some(value) = config.swept.get(axis.name)
                && let Some(&index) = axis.values.get(&Key::of(value))
                && others().all(|other| at_base(other, config))
            {
                means[index] = Some(config.mean);
            }
        }
        let known: Vec<f64> = means.iter().copied().flatten().collect();
        if known.len() > 1 {
            let (low, high) = known
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &mean| (low.min(mean), high.max(mean)));
            importances.push(Importance {
                parameter: axis.name.to_owned(),
                second: None,
                value: high - low,
                cells: known.len() as u64,
                cells_total: means.len() as u64,
            });
        }
    }
    importances
}

/// The parts of a complete grid's variance.
struct Effects {
    grand: f64,
    /// For each axis and value: its mean less the grand mean.
    mains: Vec<Vec<f64>>,
    /// Of all cells about the grand mean, over the number of cells.
    variance: f64,
}

impl Effects {
    fn of(grid: &Grid) -> Self {
        let cells = grid.cells();
        let count = cells.len() as f64;
        // About the first cell, so that close numbers lose no digits.
        let origin = cells[0].unwrap_or_default();
        let grand = origin + cells.iter().flatten().map(|value| value - origin).sum::<f64>() / count;
        let variance = cells.iter().flatten().map(|value| (value - grand).powi(2)).sum::<f64>() / count;
        let mains = (0..grid.sizes().len())
            .map(|axis| {
                let mut sums = vec![0.0; grid.sizes()[axis]];
                for (cell, value) in cells.iter().enumerate() {
                    sums[grid.digit(cell, axis)] += value.unwrap_or(grand) - grand;
                }
                let each = count / sums.len() as f64;
                sums.iter().map(|sum| sum / each).collect()
            })
            .collect();
        Self { grand, mains, variance }
    }

    /// Where all cells are the same nothing matters.
    fn share(&self, part: f64) -> f64 {
        if self.variance > 0.0 { part / self.variance } else { 0.0 }
    }

    fn main(&self, axis: usize) -> f64 {
        let effects = &self.mains[axis];
        self.share(effects.iter().map(|effect| effect * effect).sum::<f64>() / effects.len() as f64)
    }

    /// What two do together beyond the sum of what each does.
    fn pair(&self, grid: &Grid, a: usize, b: usize) -> f64 {
        let (rows, columns) = (grid.sizes()[a], grid.sizes()[b]);
        let mut sums = vec![0.0; rows * columns];
        for (cell, value) in grid.cells().iter().enumerate() {
            sums[grid.digit(cell, a) * columns + grid.digit(cell, b)] += value.unwrap_or(self.grand) - self.grand;
        }
        let each = grid.cells().len() as f64 / sums.len() as f64;
        let squares = sums.iter().enumerate().map(|(index, sum)| {
            let beyond = sum / each - self.mains[a][index / columns] - self.mains[b][index % columns];
            beyond * beyond
        });
        self.share(squares.sum::<f64>() / sums.len() as f64)
    }
}
