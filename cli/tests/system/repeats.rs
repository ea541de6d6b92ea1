//! The same sweep asked for more than once, and runs that are interrupted.

use crate::support::Home;
use crate::world::{Backend, HISTORY, ROWS, World, on_both, sql, sweep_file, undisturbed, wait_for_row};

on_both!(the_same_file_submitted_twice_and_from_two_clients_at_once_is_one_sweep);

fn the_same_file_submitted_twice_and_from_two_clients_at_once_is_one_sweep(backend: Backend) {
    let world = World::new(backend);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| world.submit());
        }
    });
    world.submit();
    let homes = [Home::new(), Home::new(), Home::new()];
    let names = ["first", "second", "third"];
    let _workers: Vec<_> = homes.iter().zip(names).map(|(home, name)| world.worker(home, name)).collect();
    world.wait_until_completed();
    world.assert_as_undisturbed();
    assert_eq!(world.hub.tables("SELECT count(*) AS sweeps FROM sweeps").trim(), "sweeps\n1");
}

/// A store that any number may serve is not the submitter's alone: somebody else trains what it
/// submits.
#[test]
fn a_sweep_submitted_straight_to_a_shared_store_is_watched_to_its_end() {
    let world = World::new(Backend::Postgres);
    let home = Home::new();
    let _worker = world.worker(&home, "first");
    let file = sweep_file(&world.hub);
    let watched = world.hub.besom(["submit", "--watch", file.to_str().unwrap()]).expect(0);
    assert!(watched.stdout.contains("completed, 8 succeeded"), "{watched}");
    assert!(!watched.stderr.contains("nobody trains it"), "{watched}");
    world.assert_as_undisturbed();
}

#[test]
fn a_run_interrupted_and_repeated_is_as_undisturbed() {
    // A process that SIGKILL ended has no exit code.
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let home = Home::new();
        let file = sweep_file(&home);
        let file = file.to_str().unwrap();
        let first = home.start(["run", file]);
        wait_for_row(&home, "a job half done", "SELECT job FROM history WHERE epoch >= 2");
        first.signal(signal);
        assert_eq!(first.wait().code(), code, "an interrupted run is not a finished one");
        let left = sql(&home, "SELECT job FROM runs WHERE state <> 'succeeded'");
        assert!(left.lines().count() > 1, "it ended before it was interrupted");
        home.besom(["run", file]).expect(0);
        assert_eq!(sql(&home, ROWS), undisturbed().rows, "after SIG{signal}");
        assert_eq!(sql(&home, HISTORY), undisturbed().history, "after SIG{signal}");
    }
}

#[test]
fn a_second_run_of_a_finished_sweep_trains_nothing() {
    let home = Home::new();
    let file = sweep_file(&home);
    let file = file.to_str().unwrap();
    let table = home.besom(["run", file]).expect(0).stdout;
    let attempts = "SELECT count(*) AS attempts FROM job_attempts";
    let before = home.tables(attempts);
    assert_eq!(home.besom(["run", file]).expect(0).stdout, table);
    assert_eq!(home.tables(attempts), before);
}
