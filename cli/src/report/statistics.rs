//! The coordinator's statistics as tables: configurations over their seeds, and how much each
//! hyperparameter matters.

use besom_figures::ImportanceRow;
use besom_sweep::{ImportanceKind, Row, TableError};
use serde_json::{Map, Value};

use super::{gathered::Gathered, grid::Grid};
use crate::{
    render::runs::{BEST, FINAL},
    text::{is_val_accuracy, number},
};

/// More configurations than this nobody reads in a page; SQL has them all.
const CONFIGS: usize = 30;
/// Hyperparameters and pairs, the largest first.
const IMPORTANCES: usize = 25;

/// The view `config_stats`, best objective first; nothing where no run has ended.
pub(super) fn configs(gathered: &Gathered) -> Result<Option<Grid>, TableError> {
    let sweep = &gathered.sweep;
    let (mut several, mut any_diverged, mut any_failed) = (false, false, false);
    for config in gathered.configs.iter() {
        // One seed has neither interval nor deviation.
        several |= config.integer("n")? > 1;
        // Columns of nothing but zeros would push the others out of sight.
        any_diverged |= config.integer("diverged")? > 0;
        any_failed |= config.integer("failed")? > 0;
    }
    let objective = (!is_val_accuracy(&sweep.metric)).then(|| format!("mean {}", sweep.metric));
    let mut header: Vec<&str> = sweep.swept.iter().map(String::as_str).collect();
    header.extend(objective.as_deref());
    header.extend(["n", "final val_accuracy"]);
    header.extend(several.then_some(["95 % interval", "deviation"]).into_iter().flatten());
    header.extend(["best val_accuracy", "seconds"]);
    header.extend(any_diverged.then_some("diverged"));
    header.extend(any_failed.then_some("failed"));
    let row = |config: Row<'_>| {
        let params: Map<String, Value> =
            config.maybe_text("params")?.and_then(|params| serde_json::from_str(params).ok()).unwrap_or_default();
        let measured = |name: &str| Ok::<_, TableError>(number::metric(config.maybe_float(name)?));
        let mut row: Vec<String> = sweep.swept.iter().map(|name| number::value(params.get(name))).collect();
        if objective.is_some() {
            row.push(measured("mean")?);
        }
        row.extend([config.integer("n")?.to_string(), measured(&format!("{FINAL}_mean"))?]);
        if several {
            row.extend([interval(config)?, measured(&format!("{FINAL}_std"))?]);
        }
        row.extend([measured(&format!("{BEST}_mean"))?, number::seconds(config.maybe_float("mean_seconds")?)]);
        if any_diverged {
            row.push(config.integer("diverged")?.to_string());
        }
        if any_failed {
            row.push(config.integer("failed")?.to_string());
        }
        Ok(row)
    };
    let rows: Vec<Vec<String>> = gathered.configs.iter().take(CONFIGS).map(row).collect::<Result<_, TableError>>()?;
    if rows.is_empty() {
        return Ok(None);
    }
    let note = match gathered.configs.rows.len() {
        all if all > CONFIGS => format!("The best {CONFIGS} of {all} configurations; the view config_stats has all."),
        _ => String::new(),
    };
    Ok(Some(Grid::new("Configurations over their seeds", &header, rows).with_note(note)))
}

fn interval(config: Row<'_>) -> Result<String, TableError> {
    let ends = config.maybe_float(&format!("{FINAL}_low"))?.zip(config.maybe_float(&format!("{FINAL}_high"))?);
    Ok(match ends {
        Some((low, high)) => format!("{} to {}", number::metric(Some(low)), number::metric(Some(high))),
        None => "-".to_owned(),
    })
}

/// What the numbers of [`importance`] are.
pub(super) fn importance_words(importances: &[ImportanceRow], metric: &str) -> String {
    match importances.first().map(|row| row.kind) {
        Some(ImportanceKind::VarianceShare) => format!(
            "Share of the variance of {metric} over the grid's configurations that each hyperparameter explains by itself, \
             and each pair beyond that (analysis of variance over the cell means, 0 to 1)."
        ),
        Some(ImportanceKind::Range) => format!(
            "Range of the mean {metric} over each hyperparameter's values, the others at their base. Nothing was tried \
             together, so there are no pairs."
        ),
        None => String::new(),
    }
}

/// The view `importance`, largest first; nothing where there is nothing to compare.
pub(super) fn importance(importances: &[ImportanceRow]) -> Option<Grid> {
    let mut all: Vec<&ImportanceRow> = importances.iter().collect();
    all.sort_by(|a, b| b.value.total_cmp(&a.value));
    let value = match all.first()?.kind {
        ImportanceKind::VarianceShare => "share of variance",
        ImportanceKind::Range => "range",
    };
    let row = |importance: &&ImportanceRow| {
        let name = match &importance.second_parameter {
            Some(second) => format!("{} × {second}", importance.parameter),
            None => importance.parameter.clone(),
        };
        let cells = format!("{} of {}", importance.cells, importance.cells_total);
        vec![name, number::metric(Some(importance.value)), cells]
    };
    let rows: Vec<Vec<String>> = all.iter().take(IMPORTANCES).map(row).collect();
    let note = match all.len() {
        count if count > IMPORTANCES => format!("The largest {IMPORTANCES} of {count}; the view importance has all."),
        _ => String::new(),
    };
    Some(Grid::new("Importance", &["hyperparameter", value, "compared"], rows).with_note(note))
}
