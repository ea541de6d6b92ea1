//! `besom rm`: what it asks, what it refuses, what is left, and that a kill in the middle leaves
//! nothing.

#![allow(clippy::unwrap_used, reason = "this is test code, which clippy sees only inside test functions")]

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    sync::mpsc,
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::{Home, LIMIT, eventually, tiny_sweep};

/// The files of all artifacts of this home.
fn artifacts(home: &Home) -> usize {
    let files = |folder: &Path| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let folders = std::fs::read_dir(home.path().join("artifacts")).unwrap();
    folders.map(|folder| files(&folder.unwrap().path())).sum()
}

/// Changes the store of this home behind besom's back.
fn change(home: &Home, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join("besom.db"));
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    });
}

fn count(home: &Home, of: &str) -> usize {
    home.tables(&format!("SELECT count(*) FROM {of}")).lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_sweep_is_removed_with_its_models_and_its_name_is_free() {
    let home = Home::new();
    for name in ["first", "second"] {
        // Of the best run of each, so two models; the learning rates of the second one differ.
        let text = tiny_sweep(name, 2, 1).replace("0.01", if name == "first" { "0.01" } else { "0.03" });
        let file = home.write("sweep.yaml", &text);
        home.besom(["run", file.to_str().unwrap(), "--no-figures"]).expect(0);
    }
    let (before, files) = (count(&home, "jobs"), artifacts(&home));
    let advice = "besom rm first --yes";
    let refused = home.besom(["rm", "first"]).expect(2).says(advice);
    assert!(refused.stdout.is_empty(), "{refused}");
    home.besom(["rm", "firs", "--yes"]).expect(1).says("no sweep \"firs\" (did you mean \"first\"?)");
    assert_eq!((count(&home, "jobs"), artifacts(&home)), (before, files), "nothing was removed");

    let removed = home.besom(["rm", "first", "--yes", "--json"]).expect(0).json();
    assert_eq!((&removed["sweep"], &removed["jobs"], &removed["epochs"]), (&"first".into(), &2.into(), &2.into()));
    assert_eq!(removed["jobs_left"], 0);
    let gone = removed["artifacts"].as_u64().unwrap() as usize;
    assert!(gone > 0, "its models: {removed}");
    assert_eq!(artifacts(&home), files - gone, "the dataset is the other sweep's, too");
    let sweeps = home.besom(["sweeps"]).expect(0).stdout;
    assert!(sweeps.contains("second") && !sweeps.contains("first"), "{sweeps}");
    home.besom(["rm", "first", "--yes"]).expect(1).says("no sweep \"first\"");

    let file = home.write("sweep.yaml", &tiny_sweep("first", 1, 1));
    home.besom(["submit", file.to_str().unwrap()]).expect(0);
    home.besom(["rm", "first", "--yes"])
        .expect(1)
        .says("is active and cannot be removed; `besom cancel` ends it first");
    home.besom(["cancel", "first"]).expect(0);
    let ended = home.besom(["rm", "first", "-y"]).expect(0);
    assert_eq!(ended.stdout, "first is removed: 1 job, 0 epochs, no artifacts\n", "{ended}");
}

/// Killed with some thousand jobs half removed, which a trigger holds there: whoever asks sees no
/// sweep, and the next coordinator removes the rest without being asked.
#[test]
fn a_coordinator_killed_in_the_middle_of_a_removal_goes_on_with_it_after_its_start() {
    let home = Home::new();
    let values = |from: u32, to: u32| (from..=to).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let text = tiny_sweep("large", 50, 1).replace("{value: 32}", &format!("{{values: [{}]}}", values(1, 60)));
    let file = home.write("large.yaml", &text);
    let (coordinator, url) = home.coordinator(["--lease-ttl", "3"]);
    home.besom(["submit", file.to_str().unwrap(), "--coordinator", &url]).expect(0);
    eventually("all jobs are written", || count(&home, "jobs") == 3_000);
    home.besom(["cancel", "large", "--coordinator", &url]).expect(0);
    change(
        &home,
        "CREATE TRIGGER hold BEFORE DELETE ON jobs WHEN OLD.id = 1501 BEGIN SELECT RAISE(ABORT, 'held by the test'); END",
    );
    let removing = home.start(["rm", "large", "--yes", "--coordinator", &url]);
    // They go 200 at a time, and the transaction that meets the trigger takes back what it did.
    eventually("half of the jobs are gone", || count(&home, "jobs") == 1_600);
    coordinator.kill();
    // The command asks a coordinator that is gone.
    assert_eq!(removing.wait().code(), Some(1));
    assert_eq!(count(&home, "jobs"), 1_600);
    let shown = home.besom(["sql", "--format", "csv", "SELECT count(*) FROM runs"]).expect(0).stdout;
    assert_eq!(shown.lines().nth(1), Some("0"), "nobody sees half a sweep");
    home.besom(["runs", "large"]).expect(1).says("no sweep \"large\"");

    change(&home, "DROP TRIGGER hold");
    let (coordinator, url) = home.coordinator(["--lease-ttl", "3"]);
    // The name is free meanwhile.
    let again = home.write("large.yaml", &tiny_sweep("large", 1, 1));
    home.besom(["submit", again.to_str().unwrap(), "--coordinator", &url]).expect(0);
    eventually("the rest is gone", || count(&home, "sweeps") == 1);
    assert_eq!((count(&home, "jobs"), count(&home, "sweep_counts")), (1, 1));
    coordinator.terminate().expect(0);
}

/// What a person at a terminal sees who types `answer` when asked, and the exit code.
fn asked(home: &Home, args: &[&str], answer: &str) -> (String, Option<i32>) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let user = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    let mut command = home.command(args);
    command.stdin(user.try_clone().unwrap()).stdout(user.try_clone().unwrap()).stderr(user);
    let mut child = command.spawn().unwrap();
    // The command holds the other end until it is dropped.
    drop(command);
    let mut screen = File::from(screen);
    // A terminal keeps what was typed ahead.
    screen.write_all(answer.as_bytes()).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut shown = Vec::new();
        // The end of a terminal that nobody holds any more is an error.
        let _ = screen.read_to_end(&mut shown);
        let _ = sender.send(shown);
    });
    let shown = receiver.recv_timeout(LIMIT);
    if shown.is_err() {
        let _ = child.kill();
    }
    let code = child.wait().unwrap().code();
    (String::from_utf8(shown.expect("the command ends")).unwrap().replace('\r', ""), code)
}

#[test]
fn a_person_is_asked_and_only_yes_removes() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 3));
    home.besom(["run", file.to_str().unwrap(), "--no-figures"]).expect(0);
    for no in ["\n", "n\n", "yess\n"] {
        let (shown, code) = asked(&home, &["rm", "tiny"], no);
        assert!(shown.contains("sweep tiny has 2 jobs, 6 epochs, "), "{shown}");
        assert!(shown.contains("remove it? [y/N] ") && shown.contains("nothing was removed"), "{shown}");
        assert_eq!((code, count(&home, "jobs")), (Some(1), 2), "{shown}");
    }
    let (shown, code) = asked(&home, &["rm", "tiny"], "Y\n");
    assert!(shown.contains("tiny is removed: 2 jobs, 6 epochs, "), "{shown}");
    assert_eq!((code, count(&home, "jobs"), count(&home, "sweeps")), (Some(0), 0, 0), "{shown}");
}
