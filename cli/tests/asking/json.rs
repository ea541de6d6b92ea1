//! `--json` stands on every command that prints results: one document, or one a line for streams,
//! and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ended, Home, tiny_sweep};

/// Commands that print no results: they serve, or write text for a shell.
const WITHOUT: [&str; 3] = ["completions", "coordinator", "worker"];

/// The commands of the tree that have no subcommands, in words.
fn leaves(home: &Home, path: &[String]) -> Vec<Vec<String>> {
    let help = home.besom(path.iter().cloned().chain(["--help".to_owned()])).expect(0).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names: Vec<&str> =
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    match names[..] {
        [] => vec![path.to_vec()],
        _ => names.into_iter().flat_map(|name| leaves(home, &[path, &[name.to_owned()]].concat())).collect(),
    }
}

/// Arguments that lead to a result, and some that lead to an error with its exit code. They run in
/// this order.
const CASES: &[(&str, &[&str], &[&str], i32)] = &[
    ("run", &["FILE", "--no-figures"], &["missing.yaml"], 2),
    ("submit", &["FILE"], &["WRONG"], 2),
    ("sweeps", &[], &["--store", "sqlite:nowhere.db"], 1),
    ("runs", &["tiny"], &["other"], 1),
    ("best", &["tiny"], &["other"], 1),
    ("show", &["tiny/2"], &["tiny/99"], 1),
    ("watch", &["tiny"], &["other"], 1),
    ("wait", &["tiny"], &["other"], 1),
    ("plot", &["tiny", "--out", "DIR"], &["other"], 1),
    ("report", &["tiny", "--out", "PAGE"], &["other", "--out", "PAGE"], 1),
    ("workers", &[], &["--store", "sqlite:nowhere.db"], 1),
    ("pause", &["queued"], &["other"], 1),
    ("resume", &["queued"], &["other"], 1),
    ("cancel", &["queued"], &["other"], 1),
    ("retry", &["queued"], &["other"], 1),
    ("clone", &["tiny", "--name", "new", "--out", "NEW"], &["tiny", "--name", "tiny"], 2),
    ("dataset inspect", &["builtin:sketches"], &["missing.npz"], 1),
    ("dataset fetch", &["FILE"], &["WRONG"], 2),
    ("predict", &["tiny", "--samples", "1"], &["other"], 1),
    ("export runs", &["tiny", "--out", "ROWS"], &["other", "--out", "ROWS"], 1),
    ("export history", &["tiny", "--out", "ROWS"], &["other", "--out", "ROWS"], 1),
    ("export model", &["tiny", "--out", "DIR"], &["other", "--out", "DIR"], 1),
    ("sql", &["SELECT * FROM runs"], &["SELECT optimzer FROM runs"], 1),
    // The last one: it removes what the others ask for.
    ("rm", &["tiny", "--yes"], &["other", "--yes"], 1),
];

/// All documents of stdout; nothing else may stand there.
#[track_caller]
fn documents(ended: &Ended) -> Vec<Value> {
    let found: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&ended.stdout).into_iter().collect();
    found.unwrap_or_else(|error| panic!("{error}: {ended}"))
}

#[track_caller]
fn is_failure(ended: &Ended) {
    let found = documents(ended);
    let Some(failure) = found.last().filter(|_| found.len() == 1) else { panic!("one document is expected: {ended}") };
    let fields: Vec<&String> = failure.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["error", "hint"], "{ended}");
    assert!(failure["error"].as_str().is_some_and(|text| !text.is_empty()), "{ended}");
    assert!(failure["hint"].is_null() || failure["hint"].is_string(), "{ended}");
    assert!(!ended.stderr.is_empty(), "people read stderr: {ended}");
}

#[test]
fn every_command_that_prints_results_prints_json() {
    let home = Home::new();
    let leaves: BTreeSet<String> = leaves(&home, &[]).iter().map(|words| words.join(" ")).collect();
    let without: BTreeSet<String> = WITHOUT.map(str::to_owned).into();
    let with: BTreeSet<String> = leaves.difference(&without).cloned().collect();
    assert_eq!(with, CASES.iter().map(|(command, ..)| (*command).to_owned()).collect(), "each command has its case");

    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 2));
    let wrong = home.write("wrong.yaml", "name: [");
    let queued = home.write("queued.yaml", &tiny_sweep("queued", 1, 1));
    home.besom(["submit", queued.to_str().unwrap()]).expect(0);
    let place = |name: &str| home.path().join(name).display().to_string();
    let argument = |argument: &&str| match *argument {
        "FILE" => file.display().to_string(),
        "WRONG" => wrong.display().to_string(),
        "DIR" => place("folder"),
        "PAGE" => place("page.html"),
        "ROWS" => place("rows.csv"),
        "NEW" => place("new.yaml"),
        other => other.to_owned(),
    };
    for (command, good, bad, code) in CASES {
        let besom = |args: &[&str]| {
            let args = args.iter().map(argument);
            home.besom(command.split(' ').map(str::to_owned).chain(args).chain(["--json".to_owned()]))
        };
        let ended = besom(good).expect(0);
        let found = documents(&ended);
        assert!(!found.is_empty() && (found.len() == 1 || *command == "watch"), "{ended}");
        assert!(found.iter().all(|document| document.get("error").is_none()), "{ended}");
        is_failure(&besom(bad).expect(*code));
        // Arguments that make no sense. A statement may begin with hyphens.
        if *command != "sql" {
            is_failure(&besom(&["--no-such-flag"]).expect(2));
        }
    }
}

#[test]
fn an_error_in_json_has_a_hint_where_there_is_one() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    home.besom(["submit", file.to_str().unwrap()]).expect(0);
    let ended = home.besom(["sql", "--json", "SELECT optimzer FROM runs"]).expect(1).says("did you mean optimizer?");
    let failure = ended.json();
    assert_eq!(failure["hint"], "did you mean optimizer?");
    assert!(failure["error"].as_str().unwrap().starts_with("no such column: optimzer"), "{failure}");
    // `--format json` prints data and nothing else.
    let ended = home.besom(["sql", "--format", "json", "SELECT optimzer FROM runs"]).expect(1);
    assert!(ended.stdout.is_empty(), "{ended}");
    is_failure(&home.besom(["wait", "tiny", "--timeout", "100ms", "--json"]).expect(1));
    is_failure(&home.besom(["sweeps", "--json", "--coordinator", "ftp://here"]).expect(2));
    is_failure(&home.besom(["best", "--json"]).expect(2));
}

#[test]
fn a_plan_of_data_that_cannot_be_trained_on_is_one_document() {
    let home = Home::new();
    std::fs::write(home.path().join("table.csv"), "label,a\nx,1\nx,2\nx,3\n").unwrap();
    let text = tiny_sweep("tiny", 1, 1).replace("{source: 'builtin:sketches', samples: 300}", "{source: table.csv}");
    let file = home.write("table.yaml", &text);
    let ended = home.besom(["run", "--plan", "--json", file.to_str().unwrap()]);
    let found = documents(&ended);
    assert_eq!(found.len(), 1, "{ended}");
    assert_eq!(found[0]["jobs"], 1, "{ended}");
    assert_eq!(ended.code() == Some(0), found[0].get("error").is_none(), "{ended}");
}
