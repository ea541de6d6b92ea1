//! The coordinator's statistics as tables: configurations over their seeds, and how much each hyperparameter matters.

use besom_figures::ImportanceRow;
use besom_proto::v1::{ConfigStats, Estimate};
use besom_sweep::{Goal, ImportanceKind};
use serde_json::{Map, Value};

use super::{gathered::Gathered, grid::Grid};
use crate::text::{is_val_accuracy, number, state};

/// More configurations than this nobody reads in a page; SQL has them all.
const CONFIGS: usize = 30;
/// Hyperparameters and pairs, the largest first.
const IMPORTANCES: usize = 25;

/// The view `config_stats`, best objective first; nothing where no run has ended.
pub(super) fn configs(gathered: &Gathered) -> Option<Grid> {
    let sweep = gathered.sweep();
    let mut configs: Vec<&ConfigStats> = gathered.configs.iter().collect();
    let goal = state::goal_of(sweep.goal).unwrap_or(Goal::Maximize);
    let score = |config: &ConfigStats| config.objective_mean.map_or(f64::NEG_INFINITY, |mean| goal.score(mean));
    configs.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.job.cmp(&b.job)));
    let objective = (!is_val_accuracy(&sweep.metric)).then(|| format!("mean {}", sweep.metric));
    let mut header: Vec<&str> = sweep.swept.iter().map(String::as_str).collect();
    header.extend(objective.as_deref());
    // One seed has neither interval nor deviation.
    let several = configs.iter().any(|it| it.n > 1);
    header.extend(["n", "final val_accuracy"]);
    header.extend(several.then_some(["95 % interval", "deviation"]).into_iter().flatten());
    header.extend(["best val_accuracy", "seconds"]);
    // Columns of nothing but zeros would push the others out of sight.
    let (diverged, failed) = (configs.iter().any(|it| it.diverged > 0), configs.iter().any(|it| it.failed > 0));
    header.extend(diverged.then_some("diverged"));
    header.extend(failed.then_some("failed"));
    let rows: Vec<Vec<String>> = configs
        .iter()
        .take(CONFIGS)
        .map(|config| {
            let params: Map<String, Value> = serde_json::from_str(&config.params).unwrap_or_default();
            let (last, best) = (config.final_val_accuracy.as_ref(), config.best_val_accuracy.as_ref());
            let mut row: Vec<String> = sweep.swept.iter().map(|name| number::value(params.get(name))).collect();
            row.extend(objective.as_ref().map(|_| number::metric(config.objective_mean)));
            row.extend([config.n.to_string(), number::metric(last.map(|estimate| estimate.mean))]);
            if several {
                row.extend([interval(last), number::metric(last.and_then(|estimate| estimate.deviation))]);
            }
            row.extend([number::metric(best.map(|estimate| estimate.mean)), number::seconds(config.mean_seconds)]);
            row.extend(diverged.then(|| config.diverged.to_string()));
            row.extend(failed.then(|| config.failed.to_string()));
            row
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let note = match configs.len() {
        all if all > CONFIGS => format!("The best {CONFIGS} of {all} configurations; the view config_stats has all."),
        _ => String::new(),
    };
    Some(Grid::new("Configurations over their seeds", &header, rows).with_note(note))
}

fn interval(estimate: Option<&Estimate>) -> String {
    match estimate.and_then(|estimate| estimate.low.zip(estimate.high)) {
        Some((low, high)) => format!("{} to {}", number::metric(Some(low)), number::metric(Some(high))),
        None => "-".to_owned(),
    }
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
