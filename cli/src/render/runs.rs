//! The table of runs: what was tried, and how well it did.

use besom_proto::v1::{JobState, Run};
use serde_json::{Map, Value};

use super::table::Table;
use crate::{
    results::Order,
    text::{is_val_accuracy, number, state},
};

/// Columns that every table of runs has, swept or not: the three that people compare first.
const ALWAYS: [&str; 3] = ["optimizer", "learning_rate", "batch_size"];

/// The columns that a narrow terminal does without, the first at first; what runs are ranked by and what was swept stays.
pub(crate) fn expendable(runs: &[Run], swept: &[String], metric: &str) -> Vec<&'static str> {
    let mut columns = vec!["rank", "seconds", trained(swept)];
    if is_val_accuracy(metric) {
        let by_final = runs.iter().all(|run| run.objective.is_none() || run.objective == run.final_val_accuracy);
        columns.push(if by_final { "best_val_accuracy" } else { "final_val_accuracy" });
    } else {
        columns.extend(["best_val_accuracy", "final_val_accuracy"]);
    }
    columns.extend(ALWAYS.iter().filter(|always| !swept.iter().any(|name| name == *always)));
    columns.extend(["state", "job", "seed"]);
    columns
}

/// Runs in the order given; ranked where that is best first. `swept` are the sweep's varied parameters.
pub(crate) fn table(runs: &[Run], order: Order, swept: &[String], metric: &str) -> Table {
    let more: Vec<&String> = swept.iter().filter(|name| !ALWAYS.contains(&name.as_str())).collect();
    let seeds = runs.iter().any(|run| Some(run.seed) != runs.first().map(|first| first.seed));
    let objective = (!is_val_accuracy(metric)).then_some(metric);
    let mut header: Vec<&str> = Vec::new();
    header.extend((order == Order::BestFirst).then_some("rank"));
    header.push("job");
    header.extend(ALWAYS);
    header.extend(more.iter().map(|name| name.as_str()));
    header.extend(seeds.then_some("seed"));
    header.extend(objective);
    header.extend(["best_val_accuracy", "final_val_accuracy", trained(swept), "seconds", "state"]);
    let mut table = Table::new(header);
    let mut rank = Ranks::default();
    for run in runs {
        let params: Map<String, Value> = serde_json::from_str(&run.params).unwrap_or_default();
        let mut cells = Vec::new();
        cells.extend((order == Order::BestFirst).then(|| rank.next(run)));
        cells.extend([run.job.to_string(), run.optimizer.clone()]);
        cells.extend([number::exact(run.learning_rate), run.batch_size.to_string()]);
        cells.extend(more.iter().map(|name| number::value(params.get(*name))));
        cells.extend(seeds.then(|| run.seed.to_string()));
        cells.extend(objective.map(|_| number::metric(run.objective)));
        cells.extend([number::metric(run.best_val_accuracy), number::metric(run.final_val_accuracy)]);
        cells.extend([epochs(run, swept), number::seconds(run.seconds), with_error(run)]);
        table.row(cells);
    }
    table
}

/// Equal objectives share a rank, as in the view `best_runs`; runs without a score have none.
#[derive(Default)]
struct Ranks {
    seen: u64,
    last: Option<(f64, u64)>,
}

impl Ranks {
    fn next(&mut self, run: &Run) -> String {
        let Some(objective) = run.objective else { return "-".to_owned() };
        self.seen += 1;
        let rank = match self.last {
            Some((value, rank)) if value == objective => rank,
            _ => self.seen,
        };
        self.last = Some((objective, rank));
        rank.to_string()
    }
}

/// The column of the epochs that were trained. Where `epochs` is swept, that is the column of those asked for.
fn trained(swept: &[String]) -> &'static str {
    if swept.iter().any(|name| name == "epochs") { "epochs_done" } else { "epochs" }
}

/// `25`, or `7/25` where the run ended or stands before its last epoch; of swept epochs, only those that were trained.
fn epochs(run: &Run, swept: &[String]) -> String {
    match run.epochs_done {
        done if trained(swept) == "epochs_done" => done.map_or_else(|| "-".to_owned(), |done| done.to_string()),
        Some(done) if done != run.epochs => format!("{done}/{}", run.epochs),
        _ => run.epochs.to_string(),
    }
}

/// The state, with the reason of a failure, or for which a job is in the queue again.
fn with_error(run: &Run) -> String {
    match (&run.error, run.state()) {
        (Some(error), JobState::Failed | JobState::Queued) => format!("{}: {error}", state::job(run.state)),
        _ => state::job(run.state).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(job: i64, state: JobState, objective: Option<f64>) -> Run {
        Run {
            job,
            state: state.into(),
            optimizer: "adam".into(),
            learning_rate: 0.01,
            batch_size: 32,
            epochs: 3,
            epochs_done: Some(3),
            params: r#"{"dropout":0.5}"#.into(),
            seed: 1,
            objective,
            final_val_accuracy: objective,
            best_val_accuracy: objective,
            seconds: Some(1.25),
            ..Run::default()
        }
    }

    #[test]
    fn equal_runs_share_a_rank_and_unranked_ones_stand_without() {
        let mut runs = vec![
            run(1, JobState::Succeeded, Some(0.9)),
            run(2, JobState::Succeeded, Some(0.9)),
            run(3, JobState::Succeeded, Some(0.8)),
            run(4, JobState::Failed, None),
        ];
        runs[3].error = Some("no such class".into());
        runs[3].epochs_done = Some(1);
        let text = table(&runs, Order::BestFirst, &["dropout".into()], "val_accuracy").render();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[0],
            [
                "rank",
                "job",
                "optimizer",
                "learning_rate",
                "batch_size",
                "dropout",
                "best_val_accuracy",
                "final_val_accuracy",
                "epochs",
                "seconds",
                "state"
            ]
        );
        assert_eq!(lines[1], ["1", "1", "adam", "0.01", "32", "0.5", "0.9000", "0.9000", "3", "1.25", "succeeded"]);
        assert_eq!((lines[2][0], lines[3][0], lines[4][0]), ("1", "3", "-"));
        let last = text.lines().nth(4).unwrap();
        assert!(last.contains(" 1/3 ") && last.ends_with("  failed: no such class"), "{text}");
    }

    #[test]
    fn swept_epochs_and_trained_ones_have_a_column_each() {
        let mut runs = vec![run(1, JobState::Succeeded, Some(0.9)), run(2, JobState::Queued, None)];
        runs[0].params = r#"{"epochs":5}"#.into();
        runs[1].epochs_done = None;
        let text = table(&runs, Order::Job, &["epochs".into()], "val_accuracy").render();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let column = |line: usize, name: &str| lines[line][lines[0].iter().position(|cell| *cell == name).unwrap()];
        assert_eq!((column(1, "epochs"), column(1, "epochs_done"), column(2, "epochs_done")), ("5", "3", "-"));
        let mut names = lines[0].clone();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), lines[0].len(), "no two columns share a name: {text}");
    }

    #[test]
    fn a_narrow_terminal_keeps_what_was_swept_and_how_well_it_did() {
        let runs = [run(1, JobState::Succeeded, Some(0.9)), run(2, JobState::Succeeded, Some(0.8))];
        let swept = ["learning_rate".to_owned(), "batch_size".to_owned()];
        let within = |metric, width| {
            let table = table(&runs, Order::BestFirst, &swept, metric);
            table.render_within(width, &expendable(&runs, &swept, metric)).0.lines().next().unwrap().to_owned()
        };
        assert_eq!(within("val_accuracy", 64), "job  learning_rate  batch_size  final_val_accuracy  state");
        assert_eq!(within("val_loss", 38), "learning_rate  batch_size  val_loss");
    }

    #[test]
    fn seeds_and_another_metric_have_columns_of_their_own() {
        let mut runs = vec![run(1, JobState::Succeeded, Some(0.4)), run(2, JobState::Succeeded, Some(0.5))];
        runs[1].seed = 2;
        let header = table(&runs, Order::Job, &[], "val_loss").render().lines().next().unwrap().to_owned();
        assert!(header.contains("seed") && header.contains("val_loss") && !header.contains("rank"), "{header}");
    }
}
