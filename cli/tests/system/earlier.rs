//! A store that an earlier build made is brought up to date, and what it left undone is done.

use crate::support::Home;
use crate::world::{sql, wait_for_row};

/// Starts a coordinator on the store and has the two jobs trained that were left.
fn is_worked_off(home: &Home) {
    let coordinator = home.start(["coordinator", "--listen", "127.0.0.1:0"]);
    let worker = Home::new();
    let worker = worker.start(["worker", "--coordinator", &coordinator.url(), "--slots", "1", "--name", "later"]);
    wait_for_row(home, "the end", "SELECT 1 FROM sweep_progress WHERE sweep = 'half' AND state = 'completed'");
    let workers = "SELECT worker, count(*) AS jobs FROM runs WHERE sweep = 'half' GROUP BY worker ORDER BY worker";
    assert_eq!(sql(home, workers), "worker,jobs\nlater,2\nsecond,2\n");
    // The same configuration on the same data is the same job: nothing but the learning rate
    // differs.
    let trained = "SELECT count(DISTINCT objective) AS n, max(epochs_done) AS epochs FROM runs WHERE sweep = 'half'";
    assert!(sql(home, trained).ends_with(",60\n"), "{}", sql(home, trained));
    drop((worker, coordinator));
}

#[test]
fn a_half_finished_sweep_of_an_earlier_build_goes_on_on_sqlite() {
    let home = Home::new();
    besom_testkit::before::sqlite(home.path());
    is_worked_off(&home);
}

#[test]
fn a_half_finished_sweep_of_an_earlier_build_goes_on_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(async {
        let url = besom_testkit::postgres::database().await.url;
        besom_testkit::before::postgres(&url).await;
        url
    });
    is_worked_off(&Home::new().with_variable("BESOM_STORE", &url));
}
