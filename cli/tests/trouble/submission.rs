//! `submit` where the answer to it is lost, or tells only half of what happened.

use std::process::Command;

use besom_testkit::postgres::TestDatabase;

use crate::support::{Ended, Home, Process, eventually, tiny_sweep};

/// A coordinator on Postgres, and a sweep file to submit.
struct World {
    home: Home,
    database: TestDatabase,
    coordinator: Process,
    url: String,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let database = runtime.block_on(besom_testkit::postgres::database());
        let home = Home::new().with_variable("BESOM_STORE", &database.url);
        home.write("drawings.yaml", &tiny_sweep("drawings", 3, 1));
        let (coordinator, url) = home.coordinator::<&str>([]);
        Self { home, database, coordinator, url }
    }

    fn psql(&self, sql: &str) {
        let status = Command::new("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.database.url]).status();
        assert!(status.unwrap().success(), "{sql}");
    }

    /// Writing to `table` does this from now on.
    fn when_written(&self, table: &str, does: &str) {
        self.psql(&format!(
            "CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; RETURN NEW; END $$; \
             CREATE TRIGGER trouble BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION trouble()"
        ));
    }

    fn start_submit(&self) -> Process {
        let file = self.home.path().join("drawings.yaml");
        // A store and a coordinator together would be refused.
        let mut command =
            self.home.command(["submit".as_ref(), file.as_os_str(), "--coordinator".as_ref(), self.url.as_ref()]);
        command.env_remove("BESOM_STORE");
        Process::start(command)
    }

    fn submit(&self) -> Ended {
        self.start_submit().wait()
    }

    fn sweeps(&self) -> usize {
        let rows = self.home.besom(["sql", "--format", "csv", "SELECT sweep FROM sweep_progress"]).expect(0);
        rows.stdout.lines().count() - 1
    }
}

const FULL: &str = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'";

#[test]
fn a_sweep_that_a_full_disk_did_not_prevent_is_reported_as_made() {
    let world = World::new();
    // The sweep's own row still fits, its jobs do not.
    world.when_written("jobs", FULL);
    world
        .submit()
        .expect(0)
        .says("the disk of the store is full")
        .says("sweep drawings (synthetic data) was made all the same");
    assert_eq!(world.sweeps(), 1);
    world.psql("DROP TRIGGER trouble ON jobs");
    world.submit().expect(0).says("is there already");
    assert_eq!(world.sweeps(), 1);
}

#[test]
fn a_sweep_that_a_full_disk_prevented_is_reported_as_not_made() {
    let world = World::new();
    world.when_written("sweeps", FULL);
    world.submit().expect(1).says("no sweep drawings was made; submit it again");
    assert_eq!(world.sweeps(), 0);
    world.psql("DROP TRIGGER trouble ON sweeps");
    world.submit().expect(0);
}

#[test]
fn a_sweep_whose_coordinator_died_over_it_is_looked_up_at_the_next_one() {
    let world = World::new();
    world.when_written("jobs", "PERFORM pg_sleep(60)");
    let submit = world.start_submit();
    eventually("the sweep is made", || world.sweeps() == 1);
    let World { home, coordinator, url, .. } = &world;
    coordinator.signal("KILL");
    submit.wait_for("looking up what became of the sweep");
    let again = home.command(["coordinator", "--listen", url.trim_start_matches("http://")]);
    let _again = Process::start(again);
    submit.wait().expect(0).says("was made all the same");
}

#[test]
fn a_sweep_that_nobody_answers_for_is_reported_as_unknown() {
    let world = World::new();
    world.when_written("jobs", "PERFORM pg_sleep(60)");
    let submit = world.start_submit();
    eventually("the sweep is made", || world.sweeps() == 1);
    world.coordinator.signal("KILL");
    submit.wait().expect(1).says("nobody answers whether sweep drawings was made").says("besom sweeps");
}
