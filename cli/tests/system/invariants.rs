//! Invariants that only whole processes can show.

use crate::support::Home;
use crate::world::{Backend, ROWS, World, on_both, sql, sweep_file, undisturbed};

on_both!(only_coordinators_write_state);

/// One coordinator holds a SQLite store, any number share a Postgres one; everybody else may only
/// read.
fn only_coordinators_write_state(backend: Backend) {
    let mut world = World::new(backend);
    world.submit();
    let second = world.hub.start(["coordinator", "--listen", "127.0.0.1:0"]);
    match backend {
        Backend::Sqlite => {
            let refused = second.wait().expect(1);
            assert!(refused.stderr.contains(&world.url()), "the holder is not named: {refused}");
            world.kill_coordinator();
            world.start_coordinator();
        }
        Backend::Postgres => {
            let other = second.url();
            let client = Home::new();
            let file = sweep_file(&client);
            let again = client.besom(["submit", file.to_str().unwrap(), "--coordinator", &other]).expect(0);
            assert_eq!(world.hub.tables("SELECT count(*) AS sweeps FROM sweeps").trim(), "sweeps\n1", "{again}");
            let homes = [Home::new(), Home::new()];
            let _first = world.worker(&homes[0], "first");
            let _second = homes[1].start(["worker", "--coordinator", &other, "--slots", "1", "--name", "second"]);
            world.wait_until_completed();
            world.assert_as_undisturbed();
        }
    }
    let before = world.hub.tables("SELECT count(*) AS jobs FROM jobs");
    for write in
        ["DELETE FROM jobs", "UPDATE jobs SET state = 'queued'", "DROP VIEW runs", "CREATE TABLE t (x INTEGER)"]
    {
        world.hub.besom(["sql", write]).expect(1).says("nothing can be changed");
    }
    assert_eq!(world.hub.tables("SELECT count(*) AS jobs FROM jobs"), before);
}

/// The same jobs in another sweep, in another order, on another number of slots.
#[test]
fn same_job_same_numbers() {
    let home = Home::new();
    let file = sweep_file(&home);
    let text = std::fs::read_to_string(&file).unwrap();
    let turned =
        text.replace("[sgd, adam]", "[adam, sgd]").replace("[16, 64]", "[64, 16]").replace("seeds: 2", "seeds: [2, 1]");
    assert_ne!(turned, text);
    std::fs::write(&file, turned).unwrap();
    home.besom(["run", file.to_str().unwrap(), "--slots", "3"]).expect(0);
    assert_eq!(sql(&home, ROWS), undisturbed().rows);
}
