//! What a job is not to blame for: a dataset that is gone from the store, or damaged there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::Home;
use crate::world::{Backend, World, on_both, wait_for_table_row};

on_both!(
    a_dataset_that_is_gone_from_the_store_is_waited_for_and_submitting_again_brings_it_back,
    a_dataset_that_is_damaged_in_the_store_is_waited_for_and_submitting_again_brings_it_back,
);

/// What all jobs cost together.
const COSTS: &str = "SELECT max(failures) AS failures, max(lost_attempts) AS losses FROM jobs";

/// What is done to the dataset's bytes.
#[derive(Clone, Copy)]
enum Harm {
    Removed,
    Damaged,
}

fn a_dataset_that_is_gone_from_the_store_is_waited_for_and_submitting_again_brings_it_back(backend: Backend) {
    a_dataset_is_waited_for(backend, Harm::Removed, "is not in the store; submit the file again");
}

fn a_dataset_that_is_damaged_in_the_store_is_waited_for_and_submitting_again_brings_it_back(backend: Backend) {
    a_dataset_is_waited_for(backend, Harm::Damaged, "in the store; submit the file again");
}

fn a_dataset_is_waited_for(backend: Backend, harm: Harm, says: &str) {
    let world = World::new(backend);
    world.submit();
    // The first worker has the dataset in its memory and on its disk. The one that follows it has
    // neither.
    let homes = [Home::new(), Home::new()];
    let first = world.worker(&homes[0], "first");
    world.freeze_in_mid_job(&first, "first");
    harm_dataset(&world, backend, harm);
    first.signal("TERM");
    first.signal("CONT");
    first.wait().expect(0);
    let second = world.worker(&homes[1], "second");
    second.wait_for("submit the file again");
    // Told more than once: it is tried again, and stays what it is.
    wait_for_table_row(
        &world.hub,
        "a second try",
        "SELECT job_id FROM job_attempts WHERE outcome = 'released' AND error IS NOT NULL GROUP BY job_id HAVING count(*) > 1",
    );
    let at = ["--coordinator", &world.url()];
    for command in [&["sweeps"][..], &["runs", "drawings"]] {
        let told = world.hub.besom([command, &at].concat()).expect(0).stdout;
        let line = told.lines().find(|line| line.starts_with("sweep drawings waits: dataset "));
        assert!(line.is_some_and(|line| line.ends_with(says)), "{told}");
    }
    let listed = world.hub.besom([&["sweeps", "--json"][..], &at].concat()).expect(0).json();
    assert!(listed[0]["problem"].as_str().unwrap().ends_with(says), "{listed}");
    let runs = world.hub.besom([&["runs", "drawings"][..], &at].concat()).expect(0).stdout;
    assert!(runs.contains("queued: dataset "), "{runs}");
    let watch = world.hub.start([&["watch", "drawings"][..], &at].concat());
    watch.wait_for("sweep drawings waits: dataset ");
    assert!(!world.sql("SELECT state FROM sweep_progress").contains("completed"));

    world.submit();
    watch.wait().expect(0);
    world.assert_as_undisturbed();
    assert_eq!(world.hub.tables(COSTS).trim(), "failures,losses\n0,0");
    assert_eq!(world.sql("SELECT job FROM failures").trim(), "job");
    let sweeps = world.hub.besom([&["sweeps"][..], &at].concat()).expect(0).stdout;
    assert!(!sweeps.contains("waits"), "{sweeps}");
}

/// The file of the sweep's dataset beside a SQLite store.
fn artifact(world: &World) -> PathBuf {
    let digest = world.hub.tables("SELECT dataset FROM sweeps").lines().nth(1).unwrap().to_owned();
    world.hub.path().join("artifacts").join(&digest[..2]).join(digest)
}

fn harm_dataset(world: &World, backend: Backend, harm: Harm) {
    match (backend, harm) {
        (Backend::Sqlite, Harm::Removed) => fs::remove_file(artifact(world)).unwrap(),
        (Backend::Sqlite, Harm::Damaged) => {
            let path = artifact(world);
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        (Backend::Postgres, Harm::Removed) => psql(
            world,
            "BEGIN; DELETE FROM artifact_chunks USING sweeps WHERE artifact_chunks.digest = sweeps.dataset; \
             DELETE FROM artifacts USING sweeps WHERE artifacts.digest = sweeps.dataset; COMMIT",
        ),
        (Backend::Postgres, Harm::Damaged) => psql(
            world,
            "UPDATE artifact_chunks SET bytes = set_byte(bytes, length(bytes) - 1, 255 - get_byte(bytes, length(bytes) - 1)) FROM sweeps \
             WHERE artifact_chunks.digest = sweeps.dataset AND seq = 0",
        ),
    }
}

fn psql(world: &World, sql: &str) {
    let url = world.hub.variable("BESOM_STORE").unwrap();
    let status = Command::new("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).status();
    assert!(status.unwrap().success(), "{sql}");
}
