//! Disks that fail while a store is written: whatever is synced, a failure ends the process, and
//! the next one is well.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Home, Process, eventually, tiny_sweep};

/// A library that lets chosen syncs fail, built by the compiler that links besom itself.
fn library(home: &Home) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trouble/fail_sync.c");
    let library = home.path().join("fail_sync.so");
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(status.unwrap().success(), "cc builds {source}");
    library
}

/// `command` with syncs that can be made to fail, and the file that says which.
fn with_failing_syncs(home: &Home, mut command: Command) -> (Command, PathBuf) {
    let which = home.path().join("fail_sync.txt");
    command.env("LD_PRELOAD", library(home)).env("BESOM_TEST_FAIL_SYNC", &which);
    (command, which)
}

fn coordinator(home: &Home) -> (Process, String, PathBuf) {
    let (command, which) = with_failing_syncs(home, home.command(["coordinator", "--listen", "127.0.0.1:0"]));
    let process = Process::start(command);
    let url = process.url();
    (process, url, which)
}

/// Submits a sweep to a coordinator for which syncs of `which` fail; how the coordinator ended.
/// Afterwards a new one, on a disk that is well, takes the same sweep and serves it whole.
fn fails_and_recovers(which: &str) {
    let home = Home::new();
    let file = home.write("drawings.yaml", &tiny_sweep("drawings", 3, 1));
    let (process, url, fail) = coordinator(&home);
    std::fs::write(&fail, which).unwrap();
    let submit = ["submit".as_ref(), file.as_os_str(), "--coordinator".as_ref(), url.as_ref()];
    let submit = home.start(submit);
    let ended = process.wait().expect(1).says("besom: a sync failed (");
    assert_eq!(ended.stderr.matches("a sync failed (").count(), 1, "{ended}");
    drop(submit);
    std::fs::remove_file(&fail).unwrap();

    let (process, url, _) = coordinator(&home);
    let submit = ["submit".as_ref(), file.as_os_str(), "--coordinator".as_ref(), url.as_ref()];
    home.besom(submit).expect(0);
    let worker = home.start(["worker", "--coordinator", &url, "--slots", "1"]);
    eventually("the sweep ends", || {
        let rows = home.besom(["sql", "--format", "csv", "SELECT state FROM sweep_progress"]);
        rows.stdout.contains("completed")
    });
    worker.terminate().expect(0);
    process.terminate().expect(0);
}

#[test]
fn a_failed_sync_of_an_artifact_ends_the_coordinator() {
    fails_and_recovers("*/artifacts/unfinished/*");
}

#[test]
fn a_failed_sync_of_an_artifacts_folder_ends_the_coordinator() {
    fails_and_recovers("*/artifacts");
    fails_and_recovers("*/artifacts/??");
}

#[test]
fn a_failed_sync_of_the_log_ends_the_coordinator() {
    fails_and_recovers("*/besom.db-wal");
}

#[test]
fn a_failed_sync_of_a_checkpoint_ends_the_coordinator_though_no_statement_reports_it() {
    let home = Home::new();
    let file = home.write("drawings.yaml", &tiny_sweep("drawings", 3, 1));
    let (process, url, fail) = coordinator(&home);
    home.besom(["submit".as_ref(), file.as_os_str(), "--coordinator".as_ref(), url.as_ref()]).expect(0);
    std::fs::write(&fail, "*/besom.db").unwrap();
    // The log is folded into the database when the store is closed.
    process.terminate().expect(1).says("besom: a sync failed (").says("/besom.db");
}

#[test]
fn a_failed_sync_ends_a_run_as_well() {
    let home = Home::new();
    let file = home.write("drawings.yaml", &tiny_sweep("drawings", 3, 1));
    let run = home.command([std::ffi::OsStr::new("run"), file.as_os_str(), "--no-figures".as_ref()]);
    let (run, fail) = with_failing_syncs(&home, run);
    std::fs::write(&fail, "*/artifacts/unfinished/*").unwrap();
    Process::start(run).wait().expect(1).says("besom: a sync failed (");
    home.besom([std::ffi::OsStr::new("run"), file.as_os_str(), "--no-figures".as_ref()]).expect(0);
}
