use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

use super::{
    files::{drawings, npy},
    support::{Home, eventually, tiny_sweep},
    trained,
};

/// Rows of a query by column.
fn sql(home: &Home, statement: &str) -> Vec<Value> {
    let rows = home.besom(["sql", statement, "--format", "json"]).expect(0).json();
    rows.as_array().unwrap().clone()
}

pub(super) fn export(home: &Home, what: &str, name: &str) -> std::path::PathBuf {
    let path = home.path().join(name);
    home.besom(["export", what, "tiny", "--out", path.to_str().unwrap()]).expect(0).says(name);
    path
}

/// What SQL says of the two exported views.
pub(super) fn views(home: &Home) -> [(&'static str, Vec<Value>); 2] {
    [
        ("runs", sql(home, "SELECT * FROM runs WHERE sweep = 'tiny' ORDER BY job")),
        ("history", sql(home, "SELECT * FROM history WHERE sweep = 'tiny' ORDER BY job, epoch")),
    ]
}

/// JSON text as JSON: its spelling is nobody's concern.
pub(super) fn parsed(column: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if column == "params" || column == "metrics" => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    }
}

#[test]
fn csv_reads_back_as_the_view() {
    let home = trained(3);
    for (what, rows) in views(&home) {
        let mut reader = csv::Reader::from_path(export(&home, what, "x.csv")).unwrap();
        let header = reader.headers().unwrap().clone();
        let columns: Vec<&str> = header.iter().collect();
        let wanted: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
        assert_eq!(columns.iter().collect::<std::collections::BTreeSet<_>>().len(), wanted.len());
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(records.len(), rows.len());
        for (record, row) in records.iter().zip(&rows) {
            for (column, cell) in columns.iter().zip(record) {
                match &row[column] {
                    Value::Null => assert_eq!(cell, "", "{column}"),
                    Value::Number(number) if number.is_f64() => {
                        assert_eq!(
                            cell.parse::<f64>().unwrap().to_bits(),
                            number.as_f64().unwrap().to_bits(),
                            "{column}"
                        );
                    }
                    Value::Number(number) => assert_eq!(cell, number.to_string(), "{column}"),
                    text => assert_eq!(parsed(column, &cell.into()), parsed(column, text), "{column}"),
                }
            }
        }
    }
    // Without --out the same bytes come to stdout.
    let stdout = home.besom(["export", "runs", "tiny"]).expect(0).stdout;
    assert_eq!(stdout, std::fs::read_to_string(export(&home, "runs", "again.csv")).unwrap());
}

#[test]
fn jsonl_reads_back_as_the_view() {
    let home = trained(3);
    for (what, rows) in views(&home) {
        let text = std::fs::read_to_string(export(&home, what, "x.jsonl")).unwrap();
        assert_eq!(text.lines().count(), rows.len());
        for (line, row) in text.lines().zip(&rows) {
            let found: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
            assert_eq!(found.len(), row.as_object().unwrap().len());
            for (column, value) in found {
                assert_eq!(value, parsed(&column, &row[&column]), "{column}");
            }
        }
    }
}

#[test]
fn a_sweep_without_results_exports_empty_tables() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom(["submit".as_ref(), file.as_os_str()]).expect(0);
    let csv = std::fs::read_to_string(export(&home, "history", "x.csv")).unwrap();
    assert_eq!(csv, "sweep,job,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds,metrics,step\n");
    assert_eq!(std::fs::read(export(&home, "history", "x.jsonl")).unwrap(), b"");
    let queued = std::fs::read_to_string(export(&home, "runs", "y.csv")).unwrap();
    assert_eq!(queued.matches(",queued,").count(), 2, "{queued}");
}

#[test]
fn a_workers_name_cannot_become_a_formula() {
    let home = Home::new();
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let worker = home.start(["worker", "--coordinator", &url, "--slots", "1", "--name", "=1+1"]);
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 1, 1));
    let args = ["submit".as_ref(), file.as_os_str(), "--watch".as_ref(), "--coordinator".as_ref(), url.as_ref()];
    home.besom(args).expect(0);
    let csv = home.besom(["export", "runs", "tiny", "--coordinator", &url]).expect(0).stdout;
    assert!(csv.contains(",'=1+1,"), "{csv}");
    let json = home.besom(["export", "runs", "tiny", "--format", "jsonl", "--coordinator", &url]).expect(0).json();
    assert_eq!(json["worker"], "=1+1");
    drop(worker);
}

#[test]
fn an_export_replaces_a_file_and_leaves_a_device_alone() {
    let home = trained(1);
    let path = home.write("x.csv", "before");
    export(&home, "runs", "x.csv");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("sweep,"));
    home.besom(["export", "runs", "tiny", "--format", "csv", "--out", "/dev/null"]).expect(0);
    assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
}

/// The Python that has numpy: Debian's, or whatever `python3` is.
pub(super) fn python() -> &'static str {
    let has_numpy = |python: &&str| {
        Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success())
    };
    ["/usr/bin/python3", "python3"].into_iter().find(has_numpy).expect("a python3 with numpy: scripts/test installs it")
}

/// The lines of the documentation, as they stand there.
fn documented() -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/models.md")).unwrap();
    let (_, rest) = text.split_once("```python\n").expect("Python in docs/models.md");
    rest.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn twelve_lines_of_python_give_the_probabilities_of_besom() {
    let home = trained(1);
    let folder = home.path().join("model");
    home.besom(["export", "model", "tiny/1", "--out", folder.to_str().unwrap()]).expect(0).says("job 1 of sweep tiny");
    let input = folder.join("drawings.npy");
    std::fs::write(&input, npy(&[5, 28, 28], &drawings(5))).unwrap();
    let ours = home.besom(["predict", "tiny", "--input", input.to_str().unwrap(), "--json"]).expect(0).json();
    let lines = documented();
    assert_eq!(lines.lines().count(), 12, "{lines}");
    let program = format!("{lines}print(json.dumps(p.tolist()))\n");
    let output = Command::new(python()).args(["-c", &program]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Vec<Vec<f64>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), 5);
    for (drawing, theirs) in ours["drawings"].as_array().unwrap().iter().zip(theirs) {
        let ours: Vec<f64> = serde_json::from_value(drawing["guesses"][0]["probabilities"].clone()).unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-5, "{a} here, {b} there");
        }
    }
}

#[test]
fn an_exported_model_says_where_it_comes_from() {
    let home = trained(2);
    let folder = home.path().join("a/b");
    home.besom(["export", "model", "tiny", "--out", folder.to_str().unwrap()]).expect(0);
    let card: Value = serde_json::from_slice(&std::fs::read(folder.join("model.json")).unwrap()).unwrap();
    let best = home.besom(["best", "tiny", "-n", "1", "--json"]).expect(0).json()[0].clone();
    assert_eq!((&card["job"], &card["seed"], &card["sweep"]), (&best["job"], &best["seed"], &"tiny".into()));
    for metric in ["objective", "final_val_loss", "best_val_accuracy", "epochs_done"] {
        assert_eq!(card["metrics"][metric], best[metric], "{metric}");
    }
    assert_eq!(card["hyperparameters"], best["params"]);
    assert_eq!((&card["shape"], &card["features"]), (&serde_json::json!([28, 28]), &784.into()));
    assert_eq!(
        (card["classes"][4].as_str(), card["dataset"]["synthetic"].as_bool()),
        (Some("The Eiffel Tower"), Some(true))
    );
    assert_eq!((&card["dataset"]["digest"], &card["file"]["sha256"]), (&best["dataset"], &best["model"]));
    assert_eq!((&card["activation"], &card["besom"]), (&"relu".into(), &env!("CARGO_PKG_VERSION").into()));
    let widths: Vec<_> =
        card["layers"].as_array().unwrap().iter().map(|l| (l["inputs"].clone(), l["outputs"].clone())).collect();
    assert_eq!(widths, [(784.into(), 8.into()), (8.into(), 10.into())]);
}

#[test]
fn what_a_killed_command_left_is_removed_by_the_next_one_there_and_what_is_being_written_stays() {
    let home = trained(1);
    let folder = home.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(".besom-notes"), "mine").unwrap();
    let unfinished = || -> Vec<String> {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".besom-unfinished-")).collect()
    };
    // Reports to come, from a coordinator that takes the call and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let path = |name: &str| folder.join(name).display().to_string();
    let begin = || home.start(["report", "tiny", "--out", &path("page.html"), "--coordinator", &url]);

    let killed = begin();
    eventually("a report is begun", || !unfinished().is_empty());
    let left = unfinished();
    killed.kill();
    assert_eq!(unfinished(), left, "nobody was there to remove it");
    let _going_on = begin();
    eventually("the next one took its place", || unfinished().len() == 1 && unfinished() != left);
    let begun = unfinished();

    home.besom(["export", "runs", "tiny", "--out", &path("runs.csv")]).expect(0);
    assert_eq!(unfinished(), begun, "its process still writes it");
    assert!(folder.join("runs.csv").exists() && !folder.join("page.html").exists());
    assert_eq!(std::fs::read(folder.join(".besom-notes")).unwrap(), b"mine");
}
