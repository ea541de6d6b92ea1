//! How much each hyperparameter of a sweep matters.
//!
//! A grid is judged by analysis of variance over its cell means: one number a configuration,
//! however many seeds it has, so that every cell weighs the same. That needs a complete grid;
//! [`super::subgrid`] says what is done with holes. Where one parameter varies at a time there is
//! no variance to share out, only how far each parameter moves the objective.

use std::collections::HashMap;

use besom_sweep::{Method, Params, SweepSpec};
use serde_json::Value;

use super::{ImportanceKind, Timestamp, subgrid::Grid};

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

/// A parameter with at least two values.
struct Axis {
    name: String,
    values: HashMap<Key, usize>,
    /// Where the others stay while one parameter varies at a time.
    base: Option<Key>,
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

/// The importances of one sweep while its configurations come by, in the order of their first jobs:
/// a number for each cell is all that stays of them, so a million configurations take some
/// megabytes.
pub struct Weighing {
    axes: Vec<Axis>,
    cells: Cells,
}

/// What the configurations come to.
enum Cells {
    /// Of a grid. `None`: nothing varies, or more than a sweep may have.
    Grid(Option<Grid>),
    /// Of one parameter at a time: for each axis and value the mean with all others at their base.
    Lines(Vec<Vec<Option<f64>>>),
}

impl Weighing {
    /// A parameter of which fewer than two values can be compared counts for nothing.
    pub fn new(spec: &SweepSpec) -> Self {
        let axes: Vec<Axis> = spec
            .parameters
            .iter()
            .map(|parameter| {
                let mut values = HashMap::new();
                for value in &parameter.values {
                    let next = values.len();
                    values.entry(Key::of(value)).or_insert(next);
                }
                Axis { name: parameter.name.clone(), values, base: spec.base.get(&parameter.name).map(Key::of) }
            })
            .filter(|axis| axis.values.len() > 1)
            .collect();
        let sizes: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
        let cells = match spec.method {
            Method::Grid => Cells::Grid(Grid::new(&sizes)),
            Method::OneAtATime => Cells::Lines(sizes.iter().map(|&size| vec![None; size]).collect()),
        };
        Self { axes, cells }
    }

    /// Takes a configuration in: its values of the swept parameters, and the mean of the objective
    /// over its seeds. A parameter that its choices do not have is missing: it stands for all
    /// values. A mean that is not finite says nothing.
    pub fn add(&mut self, swept: &Params, mean: f64) {
        if !mean.is_finite() {
            return;
        }
        let keys: Vec<Option<Key>> = self.axes.iter().map(|axis| swept.get(&axis.name).map(Key::of)).collect();
        match &mut self.cells {
            Cells::Grid(None) => {}
            Cells::Grid(Some(grid)) => {
                if let Some(place) = place(&self.axes, &keys) {
                    grid.set(&place, mean);
                }
            }
            Cells::Lines(means) => {
                let at_base = |(axis, key): (&Axis, &Option<Key>)| match key {
                    Some(_) => *key == axis.base,
                    None => true,
                };
                let mut away = (0..keys.len()).filter(|&place| !at_base((&self.axes[place], &keys[place])));
                let varied = match (away.next(), away.next()) {
                    (Some(only), None) => only..only + 1,
                    // The base point lies on the line of every parameter.
                    (None, _) => 0..keys.len(),
                    (Some(_), Some(_)) => return,
                };
                for (axis, key) in varied.map(|place| (place, &keys[place])) {
                    if let Some(&index) = key.as_ref().and_then(|key| self.axes[axis].values.get(key)) {
                        means[axis][index] = Some(mean);
                    }
                }
            }
        }
    }

    /// The method's kind of number for each hyperparameter, and for each pair in a grid. Of a
    /// million cells and a dozen parameters this takes a second.
    pub fn finish(self) -> (ImportanceKind, Vec<Importance>) {
        let (kind, mut importances) = match self.cells {
            Cells::Grid(grid) => {
                let shares = grid.map_or_else(Vec::new, |grid| shares(&self.axes, grid));
                (ImportanceKind::VarianceShare, shares)
            }
            Cells::Lines(means) => (ImportanceKind::Range, ranges(&self.axes, &means)),
        };
        // The squares of absurdly large objectives have no share of anything.
        importances.retain(|importance| importance.value.is_finite());
        (kind, importances)
    }
}

/// Main effects and pairs as shares of the sum of squares of all cells about their mean.
fn shares(axes: &[Axis], grid: Grid) -> Vec<Importance> {
    let cells_total = grid.cells().len() as u64;
    let Some(grid) = grid.complete() else { return Vec::new() };
    let cells = grid.cells().len();
    let effects = Effects::of(&grid);
    let row = |parameter: &Axis, second: Option<&Axis>, share: f64| Importance {
        parameter: parameter.name.clone(),
        second: second.map(|second| second.name.clone()),
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

/// For each axis the value's index, or none where the configuration stands for all; `None` for a
/// value that the file does not list.
fn place(axes: &[Axis], keys: &[Option<Key>]) -> Option<Vec<Option<usize>>> {
    axes.iter()
        .zip(keys)
        .map(|(axis, key)| match key {
            Some(key) => axis.values.get(key).map(|&index| Some(index)),
            None => Some(None),
        })
        .collect()
}

/// The largest mean less the smallest over the values of each parameter, the others at their base.
fn ranges(axes: &[Axis], means: &[Vec<Option<f64>>]) -> Vec<Importance> {
    let mut importances = Vec::new();
    for (axis, means) in axes.iter().zip(means) {
        let known: Vec<f64> = means.iter().copied().flatten().collect();
        if known.len() > 1 {
            let (low, high) = known
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &mean| (low.min(mean), high.max(mean)));
            importances.push(Importance {
                parameter: axis.name.clone(),
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

    /// Where all cells are the same nothing matters; of a variance beyond all numbers there are no
    /// shares.
    fn share(&self, part: f64) -> f64 {
        match self.variance {
            0.0 => 0.0,
            variance if variance.is_finite() => part / variance,
            _ => f64::NAN,
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a configuration came to.
    struct ConfigMean {
        swept: Params,
        mean: f64,
    }

    fn importance(spec: &SweepSpec, configs: &[ConfigMean]) -> (ImportanceKind, Vec<Importance>) {
        let mut weighing = Weighing::new(spec);
        for config in configs {
            weighing.add(&config.swept, config.mean);
        }
        weighing.finish()
    }

    fn spec(method: &str, parameters: &str, base: &str) -> SweepSpec {
        let text = format!(
            "{{method: {method}, parameters: {{epochs: {{value: 1}}, {parameters}}}, \
             besom: {{{base} dataset: {{source: 'builtin:sketches'}}}}}}"
        );
        besom_sweep::parse(&text).unwrap()
    }

    const GRID: &str = "optimizer: {values: [sgd, adam, rmsprop]}, batch_size: {values: [32, 64]}, \
                        learning_rate: {values: [0.001, 0.01, 0.1, 1]}";

    fn config(swept: Value, mean: f64) -> ConfigMean {
        let Value::Object(swept) = swept else { panic!("{swept}") };
        ConfigMean { swept, mean }
    }

    /// All cells of [`GRID`].
    fn cells() -> Vec<ConfigMean> {
        let means = [
            0.812, 0.834, 0.741, 0.799, 0.655, 0.731, 0.822, 0.851, 0.768, 0.701, 0.644, 0.777, 0.512, 0.688, 0.433,
            0.721, 0.398, 0.605, 0.590, 0.612, 0.480, 0.744, 0.366, 0.650,
        ];
        let mut means = means.into_iter();
        let mut cells = Vec::new();
        for optimizer in ["sgd", "adam", "rmsprop"] {
            for batch_size in [32, 64] {
                for learning_rate in [0.001, 0.01, 0.1, 1.0] {
                    let swept =
                        json!({"optimizer": optimizer, "batch_size": batch_size, "learning_rate": learning_rate});
                    cells.push(config(swept, means.next().unwrap()));
                }
            }
        }
        cells
    }

    #[track_caller]
    fn assert_values(importances: &[Importance], expected: &[(&str, Option<&str>, f64)]) {
        let names: Vec<_> = importances.iter().map(|row| (row.parameter.as_str(), row.second.as_deref())).collect();
        assert_eq!(names, expected.iter().map(|&(first, second, _)| (first, second)).collect::<Vec<_>>());
        for (row, (_, _, value)) in importances.iter().zip(expected) {
            assert!((row.value - value).abs() < 1e-12, "{row:?} is not {value}");
        }
    }

    #[test]
    fn no_objective_however_odd_makes_a_number_that_is_none() {
        let whole = spec("grid", GRID, "");
        for odd in [f64::MAX, f64::MIN, 5e-324, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            for spread in [1, 24] {
                let mut cells = cells();
                for (at, cell) in cells.iter_mut().take(spread).enumerate() {
                    cell.mean = if at % 2 == 0 { odd } else { -odd };
                }
                let (_, importances) = importance(&whole, &cells);
                let shares = importances.iter().all(|it| (0.0..=1.0 + 1e-9).contains(&it.value));
                assert!(shares, "{odd} in {spread}: {importances:?}");
            }
        }
    }

    #[test]
    fn shares_of_variance_are_those_of_a_regression_on_dummies() {
        let (kind, rows) = importance(&spec("grid", GRID, ""), &cells());
        assert_eq!(kind, ImportanceKind::VarianceShare);
        // numpy.linalg.lstsq on dummy variables: what each term takes away from the residual sum of
        // squares.
        let expected = [
            ("optimizer", None, 0.4451837819041861),
            ("batch_size", None, 0.0359751841431302),
            ("learning_rate", None, 0.20530075342973084),
            ("optimizer", Some("batch_size"), 0.04739411975260049),
            ("optimizer", Some("learning_rate"), 0.09167677065473483),
            ("batch_size", Some("learning_rate"), 0.05034030037213582),
        ];
        assert_values(&rows, &expected);
        assert!(rows.iter().all(|row| (row.cells, row.cells_total) == (24, 24)));
    }

    #[test]
    fn two_parameters_and_their_pair_share_out_all_of_the_variance() {
        let spec = spec("grid", "batch_size: {values: [8, 16]}, activation: {values: [relu, tanh]}", "");
        let cells: Vec<_> = [(8, "relu", 0.9), (8, "tanh", 0.7), (16, "relu", 0.8), (16, "tanh", 0.2)]
            .map(|(size, activation, mean)| config(json!({"batch_size": size, "activation": activation}), mean))
            .into();
        let (_, rows) = importance(&spec, &cells);
        let expected = [
            ("batch_size", None, 0.31034482758620685),
            ("activation", None, 0.5517241379310346),
            ("batch_size", Some("activation"), 0.1379310344827585),
        ];
        assert_values(&rows, &expected);
    }

    #[test]
    fn values_with_cells_that_have_no_score_are_left_out() {
        // At a learning rate of 1 one optimizer diverged: what is left is the grid without that
        // value.
        let without = |cell: &ConfigMean| cell.swept["learning_rate"] == 1.0 && cell.swept["optimizer"] == "adam";
        let holed: Vec<_> = cells().into_iter().filter(|cell| !without(cell)).collect();
        let whole: Vec<_> = cells().into_iter().filter(|cell| cell.swept["learning_rate"] != 1.0).collect();
        let narrower = GRID.replace(", 1]", "]");
        let (_, rows) = importance(&spec("grid", GRID, ""), &holed);
        let (_, expected) = importance(&spec("grid", &narrower, ""), &whole);
        assert!(rows.iter().all(|row| (row.cells, row.cells_total) == (18, 24)), "{rows:?}");
        let values = |rows: &[Importance]| rows.iter().map(|row| row.value).collect::<Vec<_>>();
        assert_eq!(values(&rows), values(&expected));
    }

    #[test]
    fn a_parameter_of_one_remaining_value_has_no_share() {
        let one: Vec<_> = cells().into_iter().filter(|cell| cell.swept["optimizer"] == "sgd").collect();
        let (_, rows) = importance(&spec("grid", GRID, ""), &one);
        let names: Vec<_> = rows.iter().map(|row| (row.parameter.as_str(), row.second.as_deref())).collect();
        let expected = [("batch_size", None), ("learning_rate", None), ("batch_size", Some("learning_rate"))];
        assert_eq!(names, expected);
        assert_eq!(importance(&spec("grid", GRID, ""), &one[..1]).1, []);
        assert_eq!(importance(&spec("grid", GRID, ""), &[]).1, []);
    }

    #[test]
    fn where_all_cells_are_equal_nothing_matters() {
        let equal: Vec<_> = cells().into_iter().map(|cell| ConfigMean { mean: 0.1, ..cell }).collect();
        let (_, rows) = importance(&spec("grid", GRID, ""), &equal);
        assert_eq!(rows.len(), 6);
        assert!(rows.iter().all(|row| row.value == 0.0));
    }

    #[test]
    fn objectives_whose_squares_are_too_large_have_no_shares() {
        let huge: Vec<_> =
            cells().into_iter().map(|cell| ConfigMean { mean: (cell.mean - 0.5) * 1e200, ..cell }).collect();
        assert_eq!(importance(&spec("grid", GRID, ""), &huge).1, []);
    }

    #[test]
    fn a_configuration_without_an_option_stands_for_all_of_its_values() {
        let spec = spec("grid", "optimizer: {values: [sgd, adam]}, momentum: {values: [0, 0.9]}", "");
        let cells = [
            config(json!({"optimizer": "sgd", "momentum": 0.0}), 0.5),
            config(json!({"optimizer": "sgd", "momentum": 0.9}), 0.7),
            config(json!({"optimizer": "adam"}), 0.8),
        ];
        let (_, rows) = importance(&spec, &cells);
        // Of the cells 0.5, 0.7 and twice 0.8: main effects 0.1 and 0.05, their interaction 0.05.
        let squares = 0.01 + 0.0025 + 0.0025;
        let expected = [
            ("optimizer", None, 0.01 / squares),
            ("momentum", None, 0.0025 / squares),
            ("optimizer", Some("momentum"), 0.0025 / squares),
        ];
        assert_values(&rows, &expected);
        assert!(rows.iter().all(|row| (row.cells, row.cells_total) == (4, 4)));
    }

    #[test]
    fn one_at_a_time_gives_the_range_of_each_parameter_with_the_others_at_their_base() {
        let parameters = "optimizer: {values: [adam, sgd]}, batch_size: {values: [8, 32, 512]}, \
                          learning_rate: {values: [0.1, 0.5, 1.0]}";
        let base = "base: {optimizer: sgd, batch_size: 32, learning_rate: 0.01},";
        let point = |optimizer: &str, batch_size: u32, learning_rate: f64, mean: f64| {
            let swept = json!({"optimizer": optimizer, "batch_size": batch_size, "learning_rate": learning_rate});
            config(swept, mean)
        };
        let configs = [
            point("adam", 32, 0.01, 0.9),
            point("sgd", 32, 0.01, 0.6),
            point("sgd", 8, 0.01, 0.7),
            point("sgd", 512, 0.01, 0.4),
            point("sgd", 32, 0.1, 0.8),
            // 0.5 diverged.
            point("sgd", 32, 1.0, 0.1),
        ];
        let (kind, rows) = importance(&spec("one_at_a_time", parameters, base), &configs);
        assert_eq!(kind, ImportanceKind::Range);
        // The base point lists 0.01 for no parameter of its own: it is not among the learning
        // rates.
        assert_values(&rows, &[("optimizer", None, 0.3), ("batch_size", None, 0.3), ("learning_rate", None, 0.7)]);
        assert_eq!(rows.iter().map(|row| (row.cells, row.cells_total)).collect::<Vec<_>>(), [(2, 2), (3, 3), (2, 3)]);
    }
}
