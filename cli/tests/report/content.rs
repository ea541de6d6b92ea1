use super::{
    assert_complete_in_itself, assert_says, report, run, section,
    support::{Home, eventually, tiny_sweep},
    trained,
    worker::fail_jobs,
};

/// Two hyperparameters varied alone, two seeds.
const CLASSIC: &str = "name: classic\ndescription: what matters most\nmethod: one_at_a_time\nparameters:\n  \
                       optimizer: {values: [sgd, adam]}\n  learning_rate: {values: [0.0001, 0.01, 0.5]}\n  epochs: {value: 3}\n\
                       besom:\n  base: {optimizer: sgd, learning_rate: 0.01}\n  \
                       dataset: {source: 'builtin:sketches', samples: 300}\n  model: {hidden: [8]}\n  seeds: 2\n";

#[test]
fn a_finished_sweep_is_told_from_its_file_to_its_digests() {
    let home = Home::new();
    run(&home, CLASSIC);
    let page = report(&home, "classic", &[]);
    assert_complete_in_itself(&page);
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    assert!(!page.contains("Unfinished"), "it is finished");
    assert_says(&page, &["<h1>classic</h1>", "what matters most", ">completed<", ">synthetic data<"]);
    let swept = section(&page, "swept");
    assert_says(
        swept,
        &["one_at_a_time", "maximize val_accuracy after the last epoch", "0.0001, 0.01, 0.5", "sgd, adam"],
    );
    assert_says(
        swept,
        &["240 for training, 60 for testing", "28 × 28 values from 0 to 255", "10 classes: apple, anvil"],
    );

    let best = home.besom(["best", "classic", "--by", "run", "--json"]).expect(0).json();
    let configs = home.besom(["best", "classic", "--json"]).expect(0).json();
    let objective = format!("{:.4}", best[0]["objective"].as_f64().unwrap());
    let ranking = section(&page, "ranking");
    let (by_config, by_run) = ranking.split_once("<h3>Single runs</h3>").unwrap();
    assert_eq!(by_run.matches("<tr>").count(), 1 + best.as_array().unwrap().len(), "a header and the runs");
    assert_eq!(by_config.matches("<tr>").count(), 1 + configs.as_array().unwrap().len(), "and the configurations");
    let mean = format!("{:.4}", configs[0]["mean"].as_f64().unwrap());
    assert_says(
        &page[..page.find("<main>").unwrap()],
        &[&mean, "95 % interval", &objective, &format!("job {}", best[0]["job"])],
    );
    assert_says(by_run, &[&objective]);
    assert_says(by_config, &[&mean, "cannot be told from the first one", "overlaps_best"]);

    let figures = section(&page, "figures");
    for title in [
        "validation accuracy and loss by epoch",
        "accuracy by hyperparameter",
        "importance by range",
        "who ran which job",
    ] {
        assert_says(figures, &[title]);
    }
    assert_says(section(&page, "predictions"), &["10 drawings of the 60 in the test split", "<svg ", "✗"]);
    assert_says(section(&page, "confusion"), &["<svg ", "precision", "recall", "The Eiffel Tower"]);
    assert_says(section(&page, "failures"), &["no attempt failed, was lost or diverged"]);

    let stats = "SELECT final_val_accuracy_mean AS mean, final_val_accuracy_low AS low FROM config_stats \
                 WHERE sweep = 'classic' ORDER BY config_stats.mean DESC LIMIT 1";
    let stats = home.besom(["sql", "--format", "json", stats]).expect(0).json();
    let number = |name: &str| format!("{:.4}", stats[0][name].as_f64().unwrap());
    assert_says(
        section(&page, "statistics"),
        &[&number("mean"), &format!("{} to ", number("low")), "Range of the mean"],
    );

    let run = &best[0];
    let digest = home.tables("SELECT digest FROM sweeps");
    let repeat = section(&page, "repeat");
    for digest in [run["dataset"].as_str().unwrap(), run["model"].as_str().unwrap(), digest.lines().nth(1).unwrap()] {
        assert_says(repeat, &[digest]);
    }
    assert_says(
        repeat,
        &[&format!("{} on cpu", run["engine"].as_str().unwrap()), "Trainer version", "method: one_at_a_time"],
    );
}

#[test]
fn the_command_to_repeat_names_the_engine_that_the_file_does_not() {
    let home = Home::new();
    let file = home.write("sweep.yaml", &tiny_sweep("by-hand", 1, 1));
    home.besom(["run", "--no-figures", "--engine", "candle", file.to_str().unwrap()]).expect(0);
    let page = report(&home, "by-hand", &[]);
    let row = home.tables("SELECT digest, trainer_version FROM sweeps");
    let (digest, version) = row.lines().nth(1).unwrap().split_once(',').unwrap();
    let repeat = section(&page, "repeat");
    assert_says(repeat, &["besom run by-hand.yaml --engine candle<", "candle on cpu", digest]);
    assert_says(repeat, &[&format!("<dt>Trainer version</dt><dd>{version}</dd>")]);
}

#[test]
fn another_trainer_version_is_not_passed_off_as_this_build_s() {
    let home = trained(1);
    let database = home.path().join("besom.db");
    let update = "UPDATE jobs SET config_hash = zeroblob(32)";
    assert!(std::process::Command::new("sqlite3").arg(database).arg(update).status().unwrap().success());
    assert_says(section(&report(&home, "tiny", &[]), "repeat"), &["<dt>Trainer version</dt><dd>not "]);
}

#[test]
fn through_a_coordinator_the_report_is_the_same_to_the_byte() {
    let home = trained(3);
    let here = report(&home, "tiny", &[]);
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let away = Home::new();
    assert!(report(&away, "1", &["--coordinator", &url]) == here, "by number, from elsewhere");
}

#[test]
fn the_drawings_and_the_models_are_those_asked_for() {
    let home = trained(2);
    let page = report(&home, "tiny", &["--models", "2,1", "--samples", "4", "--seed", "7"]);
    assert_says(section(&page, "predictions"), &["4 drawings of the 60 in the test split", "(seed 7)"]);
    let confusion = section(&page, "confusion");
    let (two, one) = (confusion.find("<h3>Job 2:"), confusion.find("<h3>Job 1:"));
    assert!(two.is_some() && two < one, "in the order asked for");
    assert_ne!(page, report(&home, "tiny", &["--models", "2,1", "--samples", "4", "--seed", "8"]));
}

#[test]
fn a_sweep_that_kept_no_model_says_so_and_still_counts_by_class() {
    let home = Home::new();
    run(&home, &tiny_sweep("none", 2, 1).replace("besom:\n", "besom:\n  keep_models: none\n"));
    let page = report(&home, "none", &[]);
    let predictions = section(&page, "predictions");
    assert_says(predictions, &["was not kept (besom.keep_models"]);
    assert!(!predictions.contains("<svg"));
    // The counts are kept with the run: the same as those of a model that was.
    let best = home.besom(["best", "none", "--json"]).expect(0).json()[0]["job"].to_string();
    run(&home, &tiny_sweep("kept", 2, 1));
    let (without, with) = (section(&page, "confusion"), report(&home, "kept", &[]));
    let table = |text: &str| text[text.find("<table>").unwrap()..text.find("</table>").unwrap()].to_owned();
    assert_eq!(table(without), table(section(&with, "confusion")));
    assert_says(without, &["<svg ", &format!("Job {best}:")]);
    assert_says(section(&page, "figures"), &["validation accuracy and loss by epoch"]);
}

#[test]
fn diverged_runs_stand_under_what_failed() {
    let home = Home::new();
    // The penalty multiplies the weights by minus two million in every step.
    let text = tiny_sweep("wild", 1, 2).replace("values: [0.01]", "values: [0.01, 1000000.0]");
    run(&home, &text.replace("parameters:\n", "parameters:\n  optimizer: {value: sgd}\n  l2: {value: 1.0}\n"));
    let page = report(&home, "wild", &[]);
    assert_says(section(&page, "failures"), &["diverged", "the loss was not finite", "learning_rate 1000000.0"]);
    assert_says(section(&page, "statistics"), &[">diverged</th>"]);
}

#[test]
fn an_unfinished_sweep_says_how_far_it_is() {
    let home = Home::new();
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let at = ["--coordinator", &url];
    let file = home.write("slow.yaml", &tiny_sweep("slow", 400, 20));
    home.besom(["submit", file.to_str().unwrap(), at[0], at[1]]).expect(0);
    let page = report(&home, "slow", &at);
    assert_says(&page, &["<strong>Unfinished (active).</strong> 0 of 400 jobs have ended"]);
    assert_says(section(&page, "figures"), &["Nothing to draw yet"]);
    assert_says(section(&page, "predictions"), &["no run of sweep slow has a result yet"]);
    assert_says(section(&page, "statistics"), &["No run has ended yet", "Nothing to compare"]);

    let worker = home.start(["worker", "--slots", "1", at[0], at[1]]);
    let succeeded = || {
        let runs = home.besom(["runs", "slow", "--json", at[0], at[1]]).expect(0).json();
        runs.as_array().unwrap().iter().filter(|run| run["state"] == "succeeded").count()
    };
    eventually("a job ends", || succeeded() >= 1);
    home.besom(["pause", "slow", at[0], at[1]]).expect(0);
    drop(worker);
    let page = report(&home, "slow", &at);
    assert_complete_in_itself(&page);
    assert_says(&page, &["<strong>Unfinished (paused).</strong>", "of 400 jobs have ended"]);
    assert_says(section(&page, "predictions"), &["<svg "]);
}

#[test]
fn a_sweep_whose_jobs_all_failed_has_a_report_that_says_why() {
    let home = Home::new();
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let file = home.write("bad.yaml", &tiny_sweep("bad", 2, 1));
    home.besom(["submit", file.to_str().unwrap(), "--coordinator", &url]).expect(0);
    fail_jobs(&url, "clumsy", 2, "the disk is full");
    let page = report(&home, "bad", &["--coordinator", &url]);
    assert!(!page.contains("Unfinished"), "nothing more can happen");
    let failures = section(&page, "failures");
    assert_eq!(failures.matches("the disk is full").count(), 2, "{failures}");
    assert_says(failures, &["clumsy", ">failed<"]);
    assert_says(section(&page, "figures"), &["who ran which job when"]);
    assert_says(section(&page, "predictions"), &["has a result yet (2 failed)"]);
}
