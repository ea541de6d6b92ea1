//! Workers and coordinators that die, sleep or are stopped in the middle of the work.

use besom_testkit::postgres::{PostgresServer, Stop};

use crate::support::Home;
use crate::world::{Backend, World, on_both, wait_for_table_row};

/// All records that were acknowledged to anybody.
const EPOCHS: &str = "SELECT job_id, attempt, step, loss FROM epochs ORDER BY job_id, attempt, step";

on_both!(
    a_worker_killed_in_mid_epoch_costs_nothing_but_time,
    a_coordinator_killed_and_restarted_loses_nothing,
    a_worker_that_is_stopped_politely_gives_its_job_back_at_once,
    a_worker_that_slept_past_its_lease_changes_nothing,
);

fn a_worker_killed_in_mid_epoch_costs_nothing_but_time(backend: Backend) {
    let world = World::new(backend);
    world.submit();
    let homes = [Home::new(), Home::new(), Home::new()];
    let doomed = world.worker(&homes[0], "doomed");
    let _second = world.worker(&homes[1], "second");
    let _third = world.worker(&homes[2], "third");
    world.freeze_in_mid_job(&doomed, "doomed");
    doomed.kill();
    world.wait_until_completed();
    world.assert_as_undisturbed();
    let lost = world.hub.tables("SELECT count(*) AS lost FROM job_attempts WHERE outcome = 'lost'");
    assert_eq!(lost.trim(), "lost\n1");
    let why = world.sql("SELECT error FROM failures WHERE outcome = 'lost'");
    assert!(why.contains("worker doomed was last heard from at 20"), "{why}");
}

fn a_coordinator_killed_and_restarted_loses_nothing(backend: Backend) {
    let mut world = World::new(backend);
    world.submit();
    let homes = [Home::new(), Home::new(), Home::new()];
    let workers = ["first", "second", "third"];
    let _workers: Vec<_> = homes.iter().zip(workers).map(|(home, name)| world.worker(home, name)).collect();
    for _ in 0..2 {
        world.wait_until_training();
        let before = world.hub.tables(EPOCHS);
        world.kill_coordinator();
        world.start_coordinator();
        let after = world.hub.tables(EPOCHS);
        for line in before.lines() {
            assert!(after.lines().any(|other| other == line), "acknowledged and gone: {line}");
        }
    }
    world.wait_until_completed();
    world.assert_as_undisturbed();
    let wrong = "SELECT outcome FROM job_attempts WHERE outcome NOT IN ('succeeded')";
    assert_eq!(world.hub.tables(wrong).trim(), "outcome", "a restart is nobody's fault");
}

#[test]
fn a_database_killed_and_restarted_loses_nothing() {
    let server = PostgresServer::start_new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = World::on_store(&runtime.block_on(server.database()).url);
    world.submit();
    let homes = [Home::new(), Home::new(), Home::new()];
    let workers = ["first", "second", "third"];
    let _workers: Vec<_> = homes.iter().zip(workers).map(|(home, name)| world.worker(home, name)).collect();
    for stop in [Stop::Immediate, Stop::Fast] {
        world.wait_until_training();
        server.stop(stop);
        server.start();
    }
    world.wait_until_completed();
    world.assert_as_undisturbed();
}

fn a_worker_that_is_stopped_politely_gives_its_job_back_at_once(backend: Backend) {
    let world = World::new(backend);
    world.submit();
    let homes = [Home::new(), Home::new()];
    let leaving = world.worker(&homes[0], "leaving");
    world.freeze_in_mid_job(&leaving, "leaving");
    leaving.signal("TERM");
    leaving.signal("CONT");
    leaving.wait().expect(0);
    let outcome = world.hub.tables(
        "SELECT a.outcome FROM job_attempts a JOIN workers w ON w.id = a.worker_id WHERE w.name = 'leaving' \
                             AND a.outcome <> 'succeeded'",
    );
    assert_eq!(outcome.trim(), "outcome\nreleased");
    let _staying = world.worker(&homes[1], "staying");
    world.wait_until_completed();
    world.assert_as_undisturbed();
}

fn a_worker_that_slept_past_its_lease_changes_nothing(backend: Backend) {
    let world = World::new(backend);
    world.submit();
    let homes = [Home::new(), Home::new()];
    let sleeper = world.worker(&homes[0], "sleeper");
    world.freeze_in_mid_job(&sleeper, "sleeper");
    let _other = world.worker(&homes[1], "other");
    wait_for_table_row(
        &world.hub,
        "the loss of the sleeper's lease",
        "SELECT job_id FROM job_attempts WHERE outcome = 'lost'",
    );
    sleeper.signal("CONT");
    world.wait_until_completed();
    world.assert_as_undisturbed();
    // The loss has not crashed it: it still ends as politely as any other.
    sleeper.terminate().expect(0);
}
