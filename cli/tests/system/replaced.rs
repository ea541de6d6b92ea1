//! Stores that are replaced while workers train for them: begun anew, or put back from a copy.
//! Numbers of jobs and attempts then count again from where they were, and must not be taken for
//! the old ones.

use std::fs;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{Home, eventually};
use crate::world::{Backend, World, on_both, wait_for_row};

on_both!(
    a_store_that_is_begun_anew_takes_no_results_of_the_old_ones_workers,
    a_copy_that_is_put_back_takes_no_results_of_leases_that_it_never_granted,
);

fn a_store_that_is_begun_anew_takes_no_results_of_the_old_ones_workers(backend: Backend) {
    let mut world = World::new(backend);
    world.submit_turned();
    let home = Home::new();
    let worker = world.worker(&home, "old");
    world.freeze_in_mid_job(&worker, "old");
    world.begin_anew(backend);
    // The same numbers of jobs and attempts name other points here.
    world.submit();
    let other = Home::new();
    let second = world.worker(&other, "second");
    world.freeze_in_mid_job(&second, "second");
    worker.signal("CONT");
    // It registers with the new store, and trains for it like any other.
    wait_for_row(&world.hub, "the old worker's registration", "SELECT worker FROM worker_status WHERE worker = 'old'");
    second.signal("CONT");
    world.wait_until_completed();
    world.assert_as_undisturbed();
    let wrong =
        world.hub.tables("SELECT outcome FROM job_attempts WHERE outcome NOT IN ('succeeded', 'lost', 'released')");
    assert_eq!(wrong.trim(), "outcome");
    worker.terminate().expect(0);
}

fn a_copy_that_is_put_back_takes_no_results_of_leases_that_it_never_granted(backend: Backend) {
    let (mut world, place) = match backend {
        Backend::Sqlite => (World::new(backend), Place::Files),
        Backend::Postgres => {
            let url = block_on(besom_testkit::postgres::database()).url;
            (World::on_store(&url), Place::Database(url))
        }
    };
    let home = Home::new();
    let worker = world.worker(&home, "old");
    let registered = "SELECT worker FROM worker_status WHERE worker = 'old'";
    wait_for_row(&world.hub, "the worker's registration", registered);
    world.kill_coordinator();
    // The copy knows the worker and its secret, but none of the leases that follow.
    let copy = Home::new();
    place.save(&world.hub, &copy);
    world.start_coordinator();
    world.submit_turned();
    world.freeze_in_mid_job(&worker, "old");
    world.kill_coordinator();
    place.put_back(&copy, &world.hub);
    world.start_coordinator();
    world.submit();
    let other = Home::new();
    let second = world.worker(&other, "second");
    world.freeze_in_mid_job(&second, "second");
    worker.signal("CONT");
    eventually("the old worker trains for the copy", || {
        let of_old = "SELECT a.job_id FROM job_attempts a JOIN workers w ON w.id = a.worker_id WHERE w.name = 'old'";
        world.hub.tables(of_old).lines().count() > 1
    });
    second.signal("CONT");
    world.wait_until_completed();
    world.assert_as_undisturbed();
    worker.terminate().expect(0);
}

/// Where a store is that is copied while nobody has it open.
enum Place {
    Files,
    /// Behind this URL; the copy is a database beside it.
    Database(String),
}

impl Place {
    fn save(&self, hub: &Home, copy: &Home) {
        match self {
            Self::Files => copy_store(hub, copy),
            Self::Database(url) => copy_database(url, false),
        }
    }

    fn put_back(&self, copy: &Home, hub: &Home) {
        match self {
            Self::Files => copy_store(copy, hub),
            Self::Database(url) => copy_database(url, true),
        }
    }
}

/// Makes a copy beside the database, or the database from that copy.
fn copy_database(url: &str, back: bool) {
    let (server, name) = url.rsplit_once('/').unwrap();
    let copy = format!("{name}_copy");
    let (from, to) = if back { (copy.as_str(), name) } else { (name, copy.as_str()) };
    let execute = |sql: String| {
        block_on(async {
            let mut connection = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await
        })
    };
    execute(format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)")).unwrap();
    // The server may not have noticed yet that the coordinator is gone.
    eventually("the database is copied", || execute(format!("CREATE DATABASE {to} TEMPLATE {from}")).is_ok());
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The files of a store that nobody has open, in place of those that are there.
fn copy_store(from: &Home, to: &Home) {
    for name in ["besom.db", "besom.db-wal", "besom.db-shm"] {
        let (source, target) = (from.path().join(name), to.path().join(name));
        if target.exists() {
            fs::remove_file(&target).unwrap();
        }
        if source.exists() {
            fs::copy(source, target).unwrap();
        }
    }
}
