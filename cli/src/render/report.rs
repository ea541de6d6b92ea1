//! How well a model does on the test split: by class, and which classes it takes for which.

use serde::Serialize;

use super::{number, table::Table};
use crate::{predictions::Report, trained::Trained};

/// The report as text; `width` of the terminal, if there is one.
pub(crate) fn text(title: &str, report: &Report, width: Option<usize>) -> String {
    let fitted = |table: Table| match width {
        None => table.render(),
        Some(width) => table.render_within(width, &[]).0,
    };
    let accuracy = number::metric(report.accuracy());
    let samples = number::plural(report.total(), "test sample");
    let (job, about) = (report.model.job, &report.model.about);
    let (classes, confusion) = (fitted(by_class(report)), fitted(confusion(report)));
    format!(
        "{title}, job {job}: {about}\naccuracy {accuracy} over {samples}\n\n{classes}\n\n\
         Row: the target; column: the guess, by label.\n{confusion}"
    )
}

/// Support, precision and recall, a row a class.
pub(crate) fn by_class(report: &Report) -> Table {
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

fn confusion(report: &Report) -> Table {
    let labels = 0..report.classes.len();
    let mut table = Table::new(["label".to_owned()].into_iter().chain(labels.clone().map(|label| label.to_string())));
    for target in labels.clone() {
        let counts = labels.clone().map(|guess| report.count(target, guess).to_string());
        table.row([target.to_string()].into_iter().chain(counts));
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
    model: Option<&'a str>,
    accuracy: Option<f64>,
    support: u64,
    classes: Vec<Class<'a>>,
    /// Row is the target, column the guess.
    confusion: Vec<Vec<u64>>,
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
    pub(crate) fn new(title: &'a str, models: &'a [Trained], reports: &'a [Report]) -> Self {
        let dataset = models.first().map_or("", |model| model.model.dataset());
        let reports = models.iter().zip(reports).map(|(model, report)| OfModel::new(model, report)).collect();
        Self { title, dataset, reports }
    }
}

impl<'a> OfModel<'a> {
    fn new(trained: &'a Trained, report: &'a Report) -> Self {
        let labels = 0..report.classes.len();
        let class = |label: usize| Class {
            label,
            class: &report.classes[label],
            support: report.support(label),
            precision: report.precision(label),
            recall: report.recall(label),
        };
        let row = |target: usize| labels.clone().map(|guess| report.count(target, guess)).collect();
        Self {
            job: report.model.job,
            model: trained.run.model.as_deref(),
            accuracy: report.accuracy(),
            support: report.total(),
            classes: labels.clone().map(class).collect(),
            confusion: labels.clone().map(row).collect(),
        }
    }
}
