//! The command line as a person or a script uses it: arguments, exit codes, outputs, and sweeps on
//! the local store.

mod asking;
mod editing;
mod removing;
mod support;
mod terminal;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Home, eventually, tiny_sweep};

const SUBCOMMANDS: [&str; 24] = [
    "run",
    "coordinator",
    "worker",
    "submit",
    "watch",
    "wait",
    "sweeps",
    "runs",
    "best",
    "show",
    "plot",
    "report",
    "workers",
    "pause",
    "resume",
    "cancel",
    "retry",
    "rm",
    "clone",
    "dataset",
    "predict",
    "export",
    "sql",
    "completions",
];

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

#[test]
fn every_subcommand_has_help_on_stdout() {
    let home = Home::new();
    for subcommand in SUBCOMMANDS {
        let help = home.besom([subcommand, "--help"]).expect(0);
        assert!(help.stdout.contains("Usage: besom"), "{help}");
        assert!(help.stderr.is_empty(), "{help}");
    }
    let all = home.besom(["--help"]).expect(0).stdout;
    for subcommand in SUBCOMMANDS {
        assert!(all.contains(&format!("\n  {subcommand} ")), "{subcommand} is not in\n{all}");
    }
}

#[test]
fn wrong_arguments_end_with_two() {
    let home = Home::new();
    for args in [
        &[][..],
        &["sweep"],
        &["run"],
        &["best", "x", "-n", "0"],
        &["sql", "SELECT 1", "--format", "yaml"],
        &["worker", "--slots", "0"],
        &["worker", "--coordinator", "ftp://here"],
        &["worker", "--coordinator", "http://127.0.0.1:99999"],
        &["sweeps", "--coordinator", "127.0.0.1:0"],
        &["coordinator", "--listen", "0.0.0.0:0"],
        &["coordinator", "--lease-ttl", "soon"],
        &["coordinator", "--lease-ttl", "3s", "--report-interval", "2s", "--listen", "127.0.0.1:0"],
        &["sweeps", "--store", "mysql://here"],
        &["sweeps", "--store", "sqlite:x.db", "--coordinator", "http://127.0.0.1:1"],
        &["run", "--engine", "abacus", "x.yaml"],
    ] {
        let ended = home.besom(args).expect(2);
        assert!(!ended.stderr.is_empty(), "{ended}");
        assert!(ended.stdout.is_empty(), "{ended}");
    }
}

#[test]
fn a_number_out_of_range_is_refused_in_plain_words() {
    let home = Home::new();
    home.besom(["worker", "--slots", "0"]).expect(2).says("a whole number from 1 to 1024 is meant");
    home.besom(["best", "x", "-n", "0"]).expect(2).says("a whole number from 1 on is meant");
}

#[test]
fn a_statement_may_begin_with_a_comment() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom([Path::new("submit"), &file]).expect(0);
    let rows = home.besom(["sql", "--format", "csv", "-- one\nSELECT 1 AS n"]).expect(0);
    assert_eq!(rows.stdout, "n\n1\n");
    let rows = home.besom(["sql", "-- one\nSELECT 1 AS n", "--format", "csv"]).expect(0);
    assert_eq!(rows.stdout, "n\n1\n");
}

#[test]
fn a_wrong_sweep_file_ends_with_two_and_names_the_line() {
    let home = Home::new();
    let good = tiny_sweep("tiny", 2, 1);
    let cases = [
        ("unknown key", good.replace("method: grid", "methd: grid"), "line 2"),
        ("unknown hyperparameter", good.replace("learning_rate", "learning_rat"), "learning_rate"),
        ("impossible value", good.replace("epochs: {value: 1}", "epochs: {value: 0}"), "line 5"),
        ("no YAML", "name: [".to_owned(), "line"),
    ];
    for (what, text, says) in cases {
        let path = home.write("wrong.yaml", &text);
        for command in ["run", "submit"] {
            let ended = home.besom([command.as_ref(), path.as_os_str()]).expect(2);
            assert!(ended.stderr.contains("wrong.yaml: ") && ended.stderr.contains(says), "{what}: {ended}");
            assert_eq!(ended.stderr.lines().count(), 1, "{what} is said once: {ended}");
        }
    }
    home.besom(["run", "missing.yaml"]).expect(2).says("missing.yaml");
    assert!(!home.path().join("besom.db").exists(), "nothing is written for a wrong file");
}

#[test]
fn the_plan_of_every_example_needs_neither_data_nor_store() {
    let home = Home::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        seen += 1;
        let text = home.besom([Path::new("run"), Path::new("--plan"), &path]).expect(0);
        assert!(text.stdout.contains("optimizer"), "{text}");
        let json = home.besom([Path::new("submit"), Path::new("--plan"), Path::new("--json"), &path]).expect(0).json();
        assert_eq!(json["first_points"].as_array().unwrap().len() as u64, json["points"].as_u64().unwrap());
    }
    assert!(seen >= 3, "the examples");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "a plan writes nothing");
}

#[test]
fn the_classic_sweep_has_nine_distinct_points() {
    let home = Home::new();
    let file = examples().join("quickdraw10.yaml");
    let plan = home.besom([Path::new("run"), Path::new("--plan"), Path::new("--json"), &file]).expect(0).json();
    assert_eq!((plan["points"].as_u64(), plan["merged"].as_u64()), (Some(9), Some(2)));
    assert_eq!(plan["synthetic"], false);
}

#[test]
fn after_a_run_the_database_file_alone_holds_everything() {
    let home = Home::new();
    let file = home.write("alone.yaml", &tiny_sweep("alone", 2, 1));
    home.besom(["run", file.to_str().unwrap()]).expect(0);
    let copy = Home::new();
    std::fs::copy(home.path().join("besom.db"), copy.path().join("besom.db")).unwrap();
    let count = copy.besom(["sql", "--format", "csv", "SELECT count(*) AS runs FROM runs"]).expect(0);
    assert_eq!(count.stdout, "runs\n2\n");
}

#[test]
fn a_sweep_is_run_once_and_shown_again() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 3, 2));
    let first = home.besom([Path::new("run"), Path::new("--slots"), Path::new("2"), &file]).expect(0);
    assert!(first.stdout.contains("tiny (synthetic data): completed, 3 succeeded"), "{first}");
    let first = first.says("besom sql \"SELECT");
    let finished = |text: &str| text.lines().filter(|line| line.starts_with("job ")).count();
    assert_eq!(finished(&first.stderr), 3, "one line a finished job: {first}");

    let again = home.besom([Path::new("run"), &file]).expect(0);
    assert_eq!(again.stdout, first.stdout, "the same table");
    assert_eq!(finished(&again.stderr), 0, "nothing is trained again: {again}");
    assert_eq!(home.tables("SELECT count(*) AS n FROM job_attempts"), "n\n3\n");
}

#[test]
fn runs_are_chosen_by_state_and_sorted_by_a_column() {
    let home = Home::new();
    // The penalty multiplies the weights by minus two million in every step.
    let text = tiny_sweep("mixed", 4, 2).replace("besom:\n", "besom:\n  seeds: 2\n");
    let text = text.replace("0.04]", "1000000.0]");
    let text = text.replace("parameters:\n", "parameters:\n  optimizer: {value: sgd}\n  l2: {value: 1.0}\n");
    let file = home.write("mixed.yaml", &text);
    home.besom(["run".as_ref(), "--no-figures".as_ref(), file.as_os_str()]).expect(0);
    let jobs = |args: &[&str]| -> Vec<i64> {
        let runs = home.besom([&["runs", "mixed", "--json"], args].concat()).expect(0).json();
        runs.as_array().unwrap().iter().map(|run| run["job"].as_i64().unwrap()).collect()
    };
    let sql = |sql: &str| -> Vec<i64> {
        let rows = home.besom(["sql", "--format", "json", sql]).expect(0).json();
        rows.as_array().unwrap().iter().map(|row| row["job"].as_i64().unwrap()).collect()
    };
    assert_eq!(jobs(&["--state", "diverged"]), sql("SELECT job FROM runs WHERE state = 'diverged' ORDER BY job"));
    assert_eq!(jobs(&["--state", "diverged"]).len(), 2);
    assert_eq!(jobs(&["--state", "succeeded,diverged"]), jobs(&[]));
    assert_eq!(jobs(&["--state", "failed"]), [0_i64; 0]);
    let by_loss = "SELECT job FROM runs ORDER BY final_val_loss DESC NULLS LAST, job";
    assert_eq!(jobs(&["--sort", "final_val_loss:desc"]), sql(by_loss));
    assert_eq!(jobs(&["--sort", "final_val_loss:desc", "--limit", "3"]), sql(by_loss)[..3]);
    assert_eq!(jobs(&["--sort", "state", "-n", "1"]), jobs(&["--state", "diverged"])[..1]);
    let table = home.besom(["runs", "mixed", "--limit", "3"]).expect(0).says("the first 3 of 8 runs").stdout;
    assert_eq!(table.lines().count(), 5, "a title, a header and three runs: {table}");
    home.besom(["runs", "mixed", "--sort", "jbo"]).expect(2).says("got \"jbo\"; the columns are sweep, sweep_id, job");
    home.besom(["runs", "mixed", "--state", "done"]).expect(2).says("expected one of queued, running, succeeded");
}

#[test]
fn a_sweep_of_several_seeds_is_ranked_by_configuration() {
    let home = Home::new();
    let text = tiny_sweep("tiny", 3, 2).replace("besom:\n", "besom:\n  seeds: 3\n");
    let file = home.write("tiny.yaml", &text);
    let run = home.besom(["run".as_ref(), "--no-figures".as_ref(), file.as_os_str()]).expect(0);
    let best = home.besom(["best", "tiny", "--json"]).expect(0).json();
    let rows = best.as_array().unwrap();
    let sql = "SELECT * FROM config_stats WHERE sweep = 'tiny' ORDER BY mean DESC, job";
    let sql = home.besom(["sql", "--format", "json", sql]).expect(0).json();
    assert_eq!((rows.len(), sql.as_array().unwrap().len()), (3, 3));
    let end = |row: &Value, name: &str| row[name].as_f64().unwrap();
    for (row, stats) in rows.iter().zip(sql.as_array().unwrap()) {
        // Equal means share a rank.
        let rank = 1 + rows.iter().filter(|other| end(other, "mean") > end(row, "mean")).count();
        for (column, value) in stats.as_object().unwrap().iter().filter(|(column, _)| *column != "params") {
            assert_eq!(value, &row[column], "{column}");
        }
        assert_eq!((&row["rank"], &row["n"]), (&rank.into(), &3.into()));
        let overlaps = end(row, "low") <= end(&rows[0], "high") && end(&rows[0], "low") <= end(row, "high");
        assert_eq!(row["overlaps_best"], overlaps, "{row}");
    }
    let table = home.besom(["best", "tiny"]).expect(0).says("others cannot be told from the first one");
    assert_eq!(table.stdout, run.stdout, "what a run ends with is the same table");
    let header: Vec<&str> = table.stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(header.contains(&"mean") && header.contains(&"overlaps_best") && !header.contains(&"seed"), "{header:?}");
    let one = home.besom(["best", "tiny", "-n", "1", "--json"]).expect(0).json();
    assert_eq!(one.as_array().unwrap()[..], rows[..1]);

    let runs = home.besom(["best", "tiny", "--by", "run", "--json"]).expect(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 9);
    assert!(runs[0]["objective"].is_f64() && runs[0]["rank"].is_null(), "{}", runs[0]);

    // With one seed there is nothing to average.
    let file = home.write("one.yaml", &tiny_sweep("one", 2, 1));
    home.besom(["run".as_ref(), "--no-figures".as_ref(), file.as_os_str()]).expect(0);
    assert!(home.besom(["best", "one", "--json"]).expect(0).json()[0]["objective"].is_f64());
    let configs = home.besom(["best", "one", "--by", "config"]).expect(0).says("has no interval");
    assert!(configs.stdout.contains(" - "), "{configs}");
}

#[test]
fn results_read_the_same_as_table_json_and_csv() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 3, 2));
    let suggestion = home.besom([Path::new("run"), &file]).expect(0).stderr;

    let best = home.besom(["best", "tiny", "--json"]).expect(0).says("synthetic").json();
    let best = best.as_array().unwrap();
    assert_eq!(best.len(), 3);
    let accuracies: Vec<f64> = best.iter().map(|run| run["objective"].as_f64().unwrap()).collect();
    assert!(accuracies.is_sorted_by(|a, b| a >= b), "best first: {accuracies:?}");
    let one = home.besom(["best", "tiny", "-n", "1", "--json"]).expect(0).json();
    assert_eq!(one.as_array().unwrap()[..], best[..1]);
    let table = home.besom(["best", "1"]).expect(0).stdout;
    assert!(table.starts_with("tiny (synthetic data): completed"), "{table}");
    assert_eq!(table.lines().count(), 5, "a title, a header and three runs: {table}");

    let runs = home.besom(["runs", "tiny", "--json"]).expect(0).json();
    let jobs: Vec<i64> = runs.as_array().unwrap().iter().map(|run| run["job"].as_i64().unwrap()).collect();
    assert!(jobs.is_sorted() && jobs.len() == 3, "by job: {jobs:?}");

    // The JSON of `runs` is the view `runs`: the same names, the same values to the last bit.
    let sql = home.besom(["sql", "SELECT * FROM runs ORDER BY job", "--format", "json"]).expect(0).json();
    for (row, run) in sql.as_array().unwrap().iter().zip(runs.as_array().unwrap()) {
        for (column, value) in row.as_object().unwrap() {
            let value = match (column.as_str(), value) {
                ("params" | "metrics", Value::String(text)) => serde_json::from_str(text).unwrap(),
                _ => value.clone(),
            };
            assert_eq!(value, run[column], "{column}");
        }
        assert_eq!(row.as_object().unwrap().len(), run.as_object().unwrap().len());
    }

    let sweeps = home.besom(["sweeps", "--json"]).expect(0).json();
    assert_eq!((&sweeps[0]["sweep"], &sweeps[0]["succeeded"]), (&"tiny".into(), &3.into()));
    assert!(home.besom(["sweeps"]).expect(0).stdout.contains("(synthetic)"));

    // The statement that `run` suggests works as it stands.
    let statement = suggestion.split_once("besom sql \"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    let rows = home.besom(["sql", statement, "--format", "csv"]).expect(0).stdout;
    assert_eq!(rows.split("\n").count(), 5, "a header, three rates and the last line's end: {rows:?}");
}

#[test]
fn a_statement_that_writes_or_is_wrong_is_refused() {
    let home = Home::new();
    home.besom(["sql", "SELECT 1"]).expect(1);
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom([Path::new("run"), &file]).expect(0);
    for statement in
        ["DELETE FROM jobs", "SELECT secret FROM workers", "SELECT nothing FROM runs", "SELECT 1; SELECT 2", ""]
    {
        let ended = home.besom(["sql", statement]).expect(1);
        assert!(ended.stdout.is_empty() && ended.stderr.starts_with("besom: "), "{ended}");
    }
    let rows = home.besom(["sql", "SELECT count(*) AS n FROM runs", "--format", "csv"]).expect(0);
    assert_eq!(rows.stdout, "n\n1\n");
}

#[test]
fn the_role_of_readers_is_one_of_postgres() {
    let home = Home::new();
    let store = "postgres://somebody@127.0.0.1:1/nothing";
    home.besom(["coordinator", "--store", store, "--reader-url", "sqlite:x"])
        .expect(2)
        .says("--reader-url: expected postgres://ROLE@HOST/DATABASE");
}

#[test]
fn a_closed_stdout_is_no_failure() {
    let home = Home::new();
    let mut child = home
        .command([
            "sql",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n",
        ])
        .env("BESOM_STORE", {
            let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
            home.besom([Path::new("run"), &file]).expect(0);
            home.store()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first.trim(), "i");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn another_file_under_a_taken_name_is_refused() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom([Path::new("submit"), &file]).expect(0).says("nobody trains it yet");
    let other = home.write("other.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom([Path::new("submit"), &other]).expect(1).says("--name");
    home.besom([Path::new("submit"), Path::new("--name"), Path::new("second"), &other]).expect(0);
    let sweeps = home.besom(["sweeps", "--json"]).expect(0).json();
    let names: Vec<&str> = sweeps.as_array().unwrap().iter().map(|sweep| sweep["sweep"].as_str().unwrap()).collect();
    assert_eq!(names, ["second", "tiny"], "newest first");
}

#[test]
fn a_sweep_is_paused_resumed_and_cancelled() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom([Path::new("submit"), &file]).expect(0);
    let state = |command: &str| home.besom([command, "tiny", "--json"]).expect(0).json()["state"].clone();
    assert_eq!(state("pause"), "paused");
    assert_eq!(state("pause"), "paused");
    home.besom([Path::new("run"), &file]).expect(1).says("besom resume tiny");
    assert_eq!(state("resume"), "active");
    assert_eq!(state("cancel"), "cancelled");
    home.besom(["resume", "tiny"]).expect(1);
    let ended = home.besom([Path::new("run"), &file]).expect(1);
    assert!(ended.stdout.contains("cancelled, 2 cancelled"), "{ended}");
    ended.says("besom retry tiny");
    home.besom(["pause", "tiiny"]).expect(1).says("tiny");
}

#[test]
fn a_store_that_is_not_there_is_said_to_be_missing() {
    let home = Home::new();
    for command in [
        &["sweeps"][..],
        &["best", "x"],
        &["workers"],
        &["watch", "x"],
        &["wait", "x"],
        &["sql", "SELECT 1"],
        &["pause", "x"],
        &["retry", "x"],
    ] {
        let ended = home.besom(command).expect(1);
        assert!(ended.stderr.contains("besom.db") && ended.stderr.contains("run or submit a sweep first"), "{ended}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "neither reading nor steering makes a store");
}

#[test]
fn a_second_run_works_for_the_holder_of_the_store_and_takes_over_from_it() {
    let home = Home::new();
    let long = home.write("long.yaml", &tiny_sweep("long", 4, 3000));
    let holder = home.start([Path::new("run"), Path::new("--slots"), Path::new("1"), &long]);
    eventually("the holder listens", || {
        std::fs::read_to_string(home.path().join("besom.db.lock")).is_ok_and(|text| text.contains("http://"))
    });
    // Another sweep through the holder, with workers of its own.
    let other = home.write("other.yaml", &tiny_sweep("other", 2, 1));
    let guest = home.besom([Path::new("run"), Path::new("--slots"), Path::new("1"), &other]).expect(0);
    assert!(guest.stdout.contains("other (synthetic data): completed, 2 succeeded"), "{guest}");
    let guest = guest.says("served by another process");
    drop(guest);
    // The same sweep too; when the holder is gone the guest serves the store itself.
    let heir = home.start([Path::new("run"), Path::new("--slots"), Path::new("1"), &long]);
    heir.wait_for("is there already: active");
    holder.kill();
    let heir = heir.wait().expect(0);
    assert!(heir.stdout.contains("long (synthetic data): completed, 4 succeeded"), "{heir}");
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let home = Home::new();
    let file = home.write("long.yaml", &tiny_sweep("long", 4, 100));
    let args = |more: [&'static str; 2]| {
        ["run", "--name", "another long"].into_iter().chain(more).map(Path::new).chain([file.as_path()])
    };
    let run = home.start(args(["--slots", "1"]));
    run.wait_for("job ");
    let ended = run.terminate().expect(143).says("long.yaml --name 'another long'` goes on with sweep another-long");
    assert!(ended.stdout.is_empty(), "{ended}");
    // Somebody who waits now learns that the worker has left, not that none ever came.
    let waited = home.besom(["wait", "another-long", "--timeout", "200ms"]).expect(1);
    let waited = waited.says("nobody trains: no worker is present (1 left)");
    assert!(!waited.stderr.contains("has joined"), "{waited}");
    let progress = home.besom(["sweeps", "--json"]).expect(0).json();
    assert_eq!((&progress[0]["state"], &progress[0]["running"]), (&"active".into(), &0.into()));
    let done = progress[0]["succeeded"].as_u64().unwrap();
    assert!((1..4).contains(&done), "{progress}");
    let ended = home.besom(args(["--engine", "native"])).expect(0);
    assert!(ended.stdout.contains("completed, 4 succeeded"), "{ended}");
    let trained = ended.stderr.lines().filter(|line| line.starts_with("job ")).count() as u64;
    assert_eq!(trained, 4 - done, "only what was left: {ended}");
}

#[test]
fn a_run_after_a_killed_one_says_what_it_waits_for_and_goes_on() {
    let home = Home::new();
    let file = home.write("long.yaml", &tiny_sweep("long", 1, 300));
    let killed = home.start([Path::new("run"), Path::new("--slots"), Path::new("1"), &file]);
    killed.wait_for("sweep long");
    eventually("the job runs", || home.besom(["sweeps", "--json"]).json()[0]["running"] == 1);
    killed.kill();
    let ended = home.besom([Path::new("run"), &file]).expect(0);
    ended.says("waiting for the leases of 1 job whose worker is gone or busy");
}

#[test]
fn a_coordinator_a_worker_and_clients_work_together() {
    let (home, elsewhere) = (Home::new(), Home::new());
    let (coordinator, url) = home.coordinator::<&str>([]);
    let worker = elsewhere.start(["worker", "--slots", "1", "--name", "w1", "--coordinator", &url]);
    let client = Home::new().with_variable("BESOM_COORDINATOR", &url);
    let file = client.write("tiny.yaml", &tiny_sweep("tiny", 2, 2));
    let watched = client.besom([Path::new("submit"), Path::new("--watch"), &file]).expect(0);
    assert!(watched.stdout.contains("tiny (synthetic data): completed, 2 succeeded"), "{watched}");
    let workers = client.besom(["workers", "--json"]).expect(0).json();
    assert_eq!((&workers[0]["worker"], &workers[0]["state"]), (&"w1".into(), &"present".into()));
    // Beside the coordinator the store's own host reads and steers without naming it.
    assert!(home.besom(["best", "tiny"]).expect(0).stdout.contains("2 succeeded"));
    home.besom(["pause", "tiny"]).expect(1).says("completed");
    worker.terminate().expect(0);
    let left = client.besom(["workers", "--json"]).expect(0).json();
    assert_eq!(left[0]["state"], "left");
    coordinator.terminate().expect(0);
    assert_eq!(
        std::fs::read_dir(client.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "db"))
            .count(),
        0
    );
}

#[test]
fn a_second_signal_ends_a_worker_at_once() {
    let (home, elsewhere) = (Home::new(), Home::new());
    let (coordinator, url) = home.coordinator::<&str>([]);
    let worker = elsewhere.start(["worker", "--slots", "1", "--coordinator", &url]);
    worker.wait_for("registered");
    // Nobody answers its goodbye, for which it would wait.
    coordinator.signal("STOP");
    worker.signal("TERM");
    worker.wait_for("draining");
    let second = Instant::now();
    worker.terminate().expect(143).says("besom: stopped");
    assert!(second.elapsed() < Duration::from_secs(3), "{:?}", second.elapsed());
}

#[test]
fn a_coordinator_waits_for_a_process_that_leaves_the_store() {
    let home = Home::new();
    let (first, address) = home.coordinator::<&str>([]);
    let second = home.start(["coordinator", "--listen", "127.0.0.1:0"]);
    let line = second.wait_for("is in use by process");
    assert!(line.contains(&format!("{}", first.id())) && line.contains(&address), "{line}");
    first.terminate().expect(0);
    second.url();
    second.terminate().expect(0);
}

#[test]
fn a_coordinator_that_cannot_listen_makes_no_store() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    home.besom(["coordinator", "--listen", &address]).expect(1).says("cannot listen");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_submission_without_its_dataset_touches_no_store() {
    let home = Home::new();
    let text = tiny_sweep("tiny", 2, 1).replace("{source: 'builtin:sketches', samples: 300}", "{source: gone.npz}");
    let file = home.write("tiny.yaml", &text);
    home.besom([Path::new("submit"), &file]).expect(1).says("gone.npz");
    home.besom([Path::new("run"), &file]).expect(1).says("gone.npz");
    assert!(!home.path().join("besom.db").exists(), "the store is not held while a dataset is loaded");
}

#[test]
fn a_sweep_that_nobody_can_train_is_not_watched() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom([Path::new("submit"), Path::new("--watch"), &file]).expect(0).says("nothing to watch");
}

#[test]
fn a_file_cannot_send_control_characters_to_the_terminal() {
    let home = Home::new();
    let table = home.write("x.csv", "a\u{1b}[31m,b\n1,2\n");
    let ended = home.besom(["dataset", "inspect", table.to_str().unwrap()]).expect(1).says("no label column");
    assert!(!ended.stderr.contains('\u{1b}') && ended.stderr.contains("a?[31m, b"), "{ended}");
}

#[test]
fn no_text_carries_control_characters_to_the_terminal() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom([Path::new("submit"), &file]).expect(0);
    let table = home.besom(["sql", "SELECT 1 AS \"a\u{1b}[31m\""]).expect(0);
    assert_eq!(table.stdout, "a\\u{1b}[31m\n          1\n");
    let file = home.write("k.yaml", &tiny_sweep("k", 1, 1).replace("method:", "\"a\\e[31m\": 1\nmethod:"));
    let ended = home.besom([Path::new("run"), &file]).expect(2);
    assert!(!ended.stderr.contains('\u{1b}'), "{ended}");
}

#[test]
fn the_secrets_of_a_source_are_not_shown() {
    let home = Home::new();
    let with_source = |user: &str| {
        let source = format!("{{source: 'https://{user}127.0.0.1:1/x.npz?token=sesame'}}");
        tiny_sweep("tiny", 1, 1).replace("{source: 'builtin:sketches', samples: 300}", &source)
    };
    let file = home.write("user.yaml", &with_source("user:sesame@"));
    let refused = home.besom([Path::new("run"), &file]).expect(2);
    assert!(!refused.stderr.contains("sesame"), "{refused}");
    let file = home.write("tiny.yaml", &with_source(""));
    let commands = [
        (&["run", "--plan"][..], 0),
        (&["run", "--plan", "--json"], 0),
        (&["run"], 1),
        (&["run", "--allow-private-hosts"], 1),
        (&["dataset", "inspect"], 1),
    ];
    for (args, code) in commands {
        let args = args.iter().map(Path::new).chain([file.as_path()]);
        let ended = home.besom(args).expect(code);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(all.contains("127.0.0.1") && !all.contains("sesame"), "{ended}");
    }
}

#[test]
fn a_client_waits_for_its_coordinator_and_then_says_that_none_answers() {
    let home = Home::new();
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let client = home.start(["sweeps", "--coordinator", &url]);
    client.wait_for("waiting up to 10 s");
    client.wait().expect(1).says("no coordinator answers");
    let client = home.start(["sweeps", "--coordinator", &url, "--json"]);
    client.wait_for("waiting up to 10 s");
    let (_coordinator, _) = {
        let process = home.start(["coordinator", "--listen", &format!("127.0.0.1:{port}")]);
        let url = process.url();
        (process, url)
    };
    assert_eq!(client.wait().expect(0).json(), Value::Array(Vec::new()));
}

#[test]
fn a_dataset_is_inspected_by_sweep_file_and_by_source() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    let by_file = home.besom([Path::new("dataset"), Path::new("inspect"), Path::new("--json"), &file]).expect(0).json();
    assert_eq!(by_file["synthetic"], true);
    assert_eq!(by_file["train"]["samples"].as_u64().unwrap() + by_file["test"]["samples"].as_u64().unwrap(), 300);
    let csv = home.write("table.csv", "a,b,label\n0,255,x\n1,2,y\n3,4,x\n5,6,y\n7,8,x\n");
    let by_source = home.besom([Path::new("dataset"), Path::new("inspect"), &csv]).expect(0).stdout;
    assert!(
        by_source.contains("2 features") && by_source.contains('x') && !by_source.contains("synthetic"),
        "{by_source}"
    );
    let digest = home.besom([Path::new("dataset"), Path::new("fetch"), &file]).expect(0).stdout;
    let fetched = home.besom([Path::new("dataset"), Path::new("fetch"), Path::new("--json"), &file]).expect(0).json();
    assert_eq!(fetched["dataset"], by_file["dataset"]);
    assert_eq!(digest.trim(), by_file["dataset"]);
    assert!(home.path().join("cache/datasets").join(digest.trim()).exists());
    home.besom(["dataset", "inspect", "missing.npz"]).expect(1).says("missing.npz");
}

#[test]
fn what_is_left_out_of_a_table_is_told_and_its_labels_may_be_told_by_number() {
    let home = Home::new();
    let rows: String = (0..20).map(|i| format!("{i};{};{}\n", i * 7 % 11, ["a", "b"][i % 2])).collect();
    let table = home.write("table.csv", &rows);
    let inspect = [Path::new("dataset"), Path::new("inspect"), &table];
    home.besom(inspect).expect(1).says("label_column: 0");
    let by_number = inspect.into_iter().chain([Path::new("--label-column"), Path::new("-1")]);
    let ended = home.besom(by_number).expect(0).says("column 0 only numbers the rows: it is left out");
    assert!(ended.stdout.contains("= 1 feature a sample"), "{ended}");
}

#[test]
fn completions_are_made_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.besom(["completions", shell]).expect(0).stdout.contains("besom"));
    }
}

#[test]
fn a_coordinator_on_loopback_says_how_others_reach_it() {
    let home = Home::new();
    let (coordinator, _) = home.coordinator::<&str>([]);
    let line = coordinator.wait_for("only this machine reaches it");
    assert!(line.contains("--listen 0.0.0.0:") && line.contains("--insecure"), "{line}");
    coordinator.terminate().expect(0);
    home.besom(["coordinator", "--listen", "0.0.0.0:0"]).expect(2).says("add --insecure if you trust the network");
}

#[test]
fn where_a_store_and_a_coordinator_are_set_it_is_said_which_one_counts() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    let (coordinator, url) = home.coordinator::<&str>([]);
    home.besom(["submit", file.to_str().unwrap(), "--coordinator", &url]).expect(0);
    let store = home.store();
    let both = Home::new().with_variable("BESOM_COORDINATOR", &url).with_variable("BESOM_STORE", &store);
    let listed = both.besom(["sweeps"]).expect(0);
    assert!(listed.stdout.contains("tiny"), "{listed}");
    assert_eq!(listed.stderr.matches("BESOM_COORDINATOR counts here, and BESOM_STORE does not").count(), 1, "{listed}");
    both.besom(["sql", "SELECT sweep FROM sweep_progress"])
        .expect(0)
        .says("BESOM_COORDINATOR counts here, and BESOM_STORE does not");
    // A flag is what the person means.
    let flagged = both.besom(["sweeps", "--store", &store]).expect(0);
    assert!(flagged.stderr.is_empty(), "{flagged}");
    let only = Home::new().with_variable("BESOM_COORDINATOR", &url);
    for command in [
        &["sql", "SELECT sweep FROM sweep_progress"][..],
        &["sql", "SELECT sweep FROM sweep_progress", "--coordinator", &url],
    ] {
        let rows = only.besom(command).expect(0).stdout;
        assert_eq!(rows, "sweep\ntiny\n");
    }
    coordinator.terminate().expect(0);
}

#[test]
fn errors_of_the_system_name_the_file_and_the_cause_in_words() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    let (missing, folder) = (home.path().join("missing"), home.path().join("folder"));
    let (below, config) = (file.join("below"), folder.join("config.toml"));
    std::fs::create_dir_all(&config).unwrap();
    home.besom([Path::new("run"), &file]).expect(0);
    let words = |path: &Path| path.to_str().unwrap().to_owned();
    let inside = |path: &Path, name: &str| words(&path.join(name));
    let cases: Vec<(Vec<String>, &Path)> = vec![
        (vec!["run".into(), inside(&missing, "x.yaml")], &missing),
        (vec!["submit".into(), words(&folder)], &folder),
        (vec!["dataset".into(), "inspect".into(), inside(&missing, "x.npz")], &missing),
        (vec!["dataset".into(), "inspect".into(), words(&below)], &below),
        (vec!["plot".into(), "tiny".into(), "--out".into(), words(&below)], &below),
        (vec!["report".into(), "tiny".into(), "--out".into(), inside(&missing, "x.html")], &missing),
        (vec!["export".into(), "runs".into(), "tiny".into(), "--out".into(), inside(&missing, "x.csv")], &missing),
        (vec!["export".into(), "model".into(), "tiny".into(), "--out".into(), words(&below)], &below),
        (vec!["predict".into(), "tiny".into(), "--out".into(), inside(&missing, "x.svg")], &missing),
        (vec!["predict".into(), "tiny".into(), "--input".into(), inside(&missing, "x.png")], &missing),
        (vec!["sql".into(), "SELECT 1".into(), "--store".into(), format!("sqlite:{}", words(&below))], &below),
        (vec!["sweeps".into(), "--store".into(), format!("sqlite:{}", inside(&missing, "x.db"))], &missing),
        (
            ["coordinator", "--listen", "127.0.0.1:0", "--store", &format!("sqlite:{}", inside(&below, "x.db"))]
                .map(str::to_owned)
                .to_vec(),
            &below,
        ),
    ];
    for (args, names) in cases {
        let ended = home.besom(&args);
        assert!(matches!(ended.code(), Some(1 | 2)), "{ended}");
        assert!(ended.stderr.contains(names.to_str().unwrap()), "{ended}");
        assert!(!ended.stderr.contains("os error"), "{ended}");
    }
    let broken = Home::new().with_variable("BESOM_HOME", folder.to_str().unwrap());
    let ended = broken.besom(["sweeps"]).expect(1).says(config.to_str().unwrap());
    assert!(ended.stderr.contains("irectory") && !ended.stderr.contains("os error"), "{ended}");
}
