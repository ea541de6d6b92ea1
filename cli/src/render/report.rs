//! How well a model does on the test split: by class, and which classes it takes for which.

use besom_figures::{PredictionReport, SHOWN_CLASSES};
use serde::Serialize;

use super::table::Table;
use crate::{text::number, trained::Trained};

/// Mistakes that are shown where there are too many classes for a matrix.
const MISTAKES: usize = 40;

/// The report as text; `width` of the terminal, if there is one.
pub(crate) fn text(title: &str, report: &PredictionReport, width: Option<usize>) -> String {
    let fitted = |table: Table| match width {
        None => table.render(),
        Some(width) => table.render_within(width, &[]).0,
    };
    let accuracy = number::metric(report.accuracy());
    let samples = number::plural(report.total(), "test sample");
    let (job, about) = (report.model.job, &report.model.about);
    let classes = fitted(by_class(report));
    let pairs = match report.classes.len() {
        few if few <= SHOWN_CLASSES => {
            format!("Row: the target; column: the guess, by label.\n{}", fitted(confusion(report)))
        }
        _ => format!("The pairs that are confused most.\n{}", fitted(mistakes(report))),
    };
    format!("{title}, job {job}: {about}\naccuracy {accuracy} over {samples}\n\n{classes}\n\n{pairs}")
}

/// Support, precision and recall, a row a class.
pub(crate) fn by_class(report: &PredictionReport) -> Table {
    let mut table = Table::new(["label", "class", "support", "precision", "recall"]);
    for (label, class) in report.classes.iter().enumerate() {
        table.row([
            label.to_string(),
            class.clone(),
            report.support(label).to_string(),
            number::metric(report.precision(label)),
            number::metric(report.recall(label)),
        ]);
    }
    table
}

fn confusion(report: &PredictionReport) -> Table {
    let labels = 0..report.classes.len();
    let mut table = Table::new(["label".to_owned()].into_iter().chain(labels.clone().map(|label| label.to_string())));
    for target in labels.clone() {
        let counts = labels.clone().map(|guess| report.count(target, guess).unwrap_or(0).to_string());
        table.row([target.to_string()].into_iter().chain(counts));
    }
    table
}

/// The most frequent mistakes.
fn mistakes(report: &PredictionReport) -> Table {
    let mut wrong: Vec<_> = report.pairs().filter(|(target, guess, _)| target != guess).collect();
    wrong.sort_by_key(|&(target, guess, count)| (std::cmp::Reverse(count), target, guess));
    let mut table = Table::new(["target", "guess", "count"]);
    for (target, guess, count) in wrong.into_iter().take(MISTAKES) {
        let name = |label: u32| report.classes[label as usize].clone();
        table.row([name(target), name(guess), count.to_string()]);
    }
    table
}

/// What `--json` prints.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    title: &'a str,
    dataset: &'a str,
    reports: Vec<OfModel<'a>>,
}

#[derive(Serialize)]
struct OfModel<'a> {
    job: i64,
    model: &'a str,
    accuracy: Option<f64>,
    support: u64,
    classes: Vec<Class<'a>>,
    /// Row is the target, column the guess; nothing where there are too many.
    confusion: Option<Vec<Vec<u32>>>,
    /// Target, guess and count of the pairs that are not 0, where there are too many for rows and
    /// columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<Vec<(u32, u32, u32)>>,
}

#[derive(Serialize)]
struct Class<'a> {
    label: usize,
    class: &'a str,
    support: u64,
    precision: Option<f64>,
    recall: Option<f64>,
}

impl<'a> Document<'a> {
    /// Of the reports on these models, in the same order.
    pub(crate) fn new(title: &'a str, models: &'a [Trained], reports: &'a [PredictionReport]) -> Self {
        let dataset = models.first().map_or("", |model| model.model.dataset());
        let reports = models.iter().zip(reports).map(|(model, report)| OfModel::new(model, report)).collect();
        Self { title, dataset, reports }
    }
}

impl<'a> OfModel<'a> {
    fn new(trained: &'a Trained, report: &'a PredictionReport) -> Self {
        let labels = 0..report.classes.len();
        let class = |label: usize| Class {
            label,
            class: &report.classes[label],
            support: report.support(label),
            precision: report.precision(label),
            recall: report.recall(label),
        };
        let few = report.classes.len() <= SHOWN_CLASSES;
        let count = |target, guess| report.count(target, guess).unwrap_or(0);
        let row = |target: usize| labels.clone().map(|guess| count(target, guess)).collect();
        Self {
            job: report.model.job,
            model: &trained.digest,
            accuracy: report.accuracy(),
            support: report.total(),
            classes: labels.clone().map(class).collect(),
            confusion: few.then(|| labels.clone().map(row).collect()),
            pairs: (!few).then(|| report.pairs().collect()),
        }
    }
}
