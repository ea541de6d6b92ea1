//! Asking for results: statements from files, one run's page, JSON from every command.

mod json;

use std::{io::Write, path::Path, process::Stdio};

use serde_json::Value;

use crate::support::{Home, tiny_sweep};

#[test]
fn a_statement_is_read_from_a_file_and_from_stdin() {
    let home = Home::new();
    let sweep = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom([Path::new("submit"), &sweep]).expect(0);
    let statement = "\u{feff}-- how many\nSELECT count(*) AS n\nFROM runs;\n";
    let file = home.write("q.sql", statement);
    let file = file.to_str().unwrap();
    for args in [["sql", "--format", "csv", "-f", file], ["sql", "--file", file, "--format", "csv"]] {
        assert_eq!(home.besom(args).expect(0).stdout, "n\n2\n");
    }
    for args in [&["sql", "-", "--format", "csv"][..], &["sql", "--format", "csv", "-f", "-"]] {
        let mut command = home.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(statement.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "n\n2\n", "{args:?}");
    }
    home.besom(["sql"]).expect(2);
    home.besom(["sql", "SELECT 1", "-f", file]).expect(2);
    home.besom(["sql", "-f", "missing.sql"]).expect(2).says("missing.sql: No such file");
    let long = home.write("long.sql", &" ".repeat(300 << 10));
    home.besom(["sql", "-f", long.to_str().unwrap()]).expect(2).says("expected a statement of at most 256 KiB");
    std::fs::write(home.path().join("bytes.sql"), b"\xff\xfe").unwrap();
    let bytes = home.path().join("bytes.sql");
    home.besom(["sql", "-f", bytes.to_str().unwrap()]).expect(2).says("expected a statement as UTF-8 text");
}

#[test]
fn a_wrong_name_in_a_statement_is_answered_with_the_nearest_ones() {
    let home = Home::new();
    let sweep = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom([Path::new("submit"), &sweep]).expect(0);
    let near = |more: &[&str]| {
        let ask = |statement: &str| home.besom([&["sql", statement][..], more].concat()).expect(1);
        ask("SELECT optimzer FROM runs").says("did you mean optimizer?");
        ask("SELECT val_loss FROM runs").says("val_loss is a column of history");
        ask("SELECT * FROM histroy").says("did you mean history? the views are runs, ");
        ask("SELECT * FROM sweeps").says("sweeps cannot be read here; did you mean sweep_progress?");
    };
    near(&[]);
    let (_coordinator, url) = home.coordinator::<&str>([]);
    near(&["--coordinator", &url]);
}

#[test]
fn one_run_has_a_page() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 3));
    home.besom([Path::new("run"), Path::new("--no-figures"), &file]).expect(0);
    let page = home.besom(["show", "tiny/2"]).expect(0).stdout;
    assert!(page.starts_with("tiny (synthetic data), job 2: succeeded\n"), "{page}");
    let has = |words: &[&str]| page.lines().any(|line| line.split_whitespace().eq(words.iter().copied()));
    assert!(has(&["hyperparameters", "(swept:", "learning_rate)"]), "{page}");
    assert!(has(&["learning_rate", "0.02"]) && has(&["batch_size", "32"]), "{page}");
    assert!(has(&["history:", "3", "records"]) && page.contains("epoch"), "{page}");
    assert!(has(&["attempt", "worker", "slot", "outcome", "started_at", "ended_at"]), "{page}");
    assert!(page.contains("  model  ") && page.contains("(val_accuracy)"), "{page}");

    // The document has the rows of the views, with the names of their columns.
    let shown = home.besom(["show", "1/2", "--json"]).expect(0).json();
    let sql = |statement: &str| home.besom(["sql", "--json", statement]).expect(0).json();
    let run = &home.besom(["runs", "tiny", "--json"]).expect(0).json()[1];
    assert_eq!(&shown["run"], run);
    assert_eq!(shown["attempts"], sql("SELECT * FROM attempts WHERE job = 2"));
    let mut history = sql("SELECT * FROM history WHERE job = 2 ORDER BY step");
    for record in history.as_array_mut().unwrap() {
        let metrics = serde_json::from_str(record["metrics"].as_str().unwrap_or("null")).unwrap();
        record["metrics"] = metrics;
    }
    assert_eq!(shown["history"], history);

    home.besom(["show", "tiny"]).expect(2).says("expected SWEEP/JOB, such as sketches/3, got \"tiny\"");
    home.besom(["show", "tiny/9"]).expect(1).says("sweep tiny has no job 9; `besom runs tiny` lists its jobs");
    home.besom(["show", "tyni/1"]).expect(1).says("no sweep \"tyni\"");
    let (_coordinator, url) = home.coordinator::<&str>([]);
    assert_eq!(home.besom(["show", "tiny/2", "--json", "--coordinator", &url]).expect(0).json(), shown);
}

#[test]
fn the_page_of_a_run_that_waits_says_so() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom([Path::new("submit"), &file]).expect(0);
    let page = home.besom(["show", "tiny/1"]).expect(0).stdout;
    assert!(page.starts_with("tiny (synthetic data), job 1: queued\n"), "{page}");
    assert!(page.contains("history: 0 records") && page.contains("attempts: none yet"), "{page}");
    let document = home.besom(["show", "tiny/1", "--json"]).expect(0).json();
    assert_eq!((&document["attempts"], &document["run"]["objective"]), (&Value::Array(Vec::new()), &Value::Null));
}

#[test]
fn the_page_of_a_long_run_has_all_of_its_history() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1_100));
    home.besom([Path::new("run"), &file, Path::new("--no-figures")]).expect(0);
    assert!(home.besom(["show", "tiny/1"]).expect(0).stdout.contains("history: 1100 records"));
    let shown = home.besom(["show", "tiny/1", "--json"]).expect(0).json();
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(1_100));
}
