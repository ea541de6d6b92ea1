//! Importance is worked out behind the runs: what a reader finds right after a sweep's end.

use std::sync::Arc;

use besom_coordinator::{
    Coordinator,
    open::open_read_only,
    store::query::{Queries, Rights, query},
};
use besom_sweep::{Cell, Table};

use crate::{
    sql_support::{
        self, Filled,
        asking::{Asking, asking},
    },
    statements::change,
};

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $behaviour() { super::$behaviour(crate::sql_support::sqlite().await).await; })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $behaviour() { super::$behaviour(crate::sql_support::postgres().await).await; })*
        }
    };
}

on_both!(
    a_store_that_nobody_coordinates_any_more_shows_the_importance_of_all_runs,
    importance_that_cannot_be_worked_out_is_read_as_it_is,
);

const IMPORTANCE: &str = "SELECT parameter, second_parameter, value, cells FROM importance ORDER BY 1, 2, 3";

/// As if the coordinator had been killed between the last run and the importance that counts it.
async fn forget(filled: &Filled) {
    change(&filled.url, "DELETE FROM importances").await;
    let never = "UPDATE sweeps SET importance_at = NULL, importance_tried_at = NULL, importance_of = NULL";
    change(&filled.url, never).await;
}

/// The services as a command has them that only reads.
async fn reading(filled: &Filled) -> Asking {
    let opened = open_read_only(&filled.url).await.unwrap();
    let queries = Some(Arc::new(Queries::new(&filled.url, Rights::OfTheUrl)));
    Asking::of(Coordinator::read_only(opened.store, opened.artifacts, queries))
}

async fn a_store_that_nobody_coordinates_any_more_shows_the_importance_of_all_runs(filled: Filled) {
    let expected = query(&filled.url, IMPORTANCE).await.unwrap();
    assert!(expected.rows.len() > 3, "{expected:?}");
    forget(&filled).await;
    let Filled { url, opened, dir } = filled;
    opened.close().await;
    let filled = Filled { opened: open_read_only(&url).await.unwrap(), url, dir };
    let readers = (reading(&filled).await, reading(&filled).await);
    let other = besom_coordinator::query(&filled.url, "SELECT count(*) FROM runs").await.unwrap();
    assert_eq!(other.rows, [[Cell::Integer(24)]]);
    let other = readers.0.ask("SELECT count(*) FROM runs").await.unwrap();
    assert_eq!(other.rows, [[Cell::Integer(24)]]);
    assert!(!filled.opened.store.settle_importance(None).await.unwrap(), "nobody has asked for it yet");
    let (one, two) = tokio::join!(readers.0.ask(IMPORTANCE), readers.1.ask(IMPORTANCE));
    assert_eq!((one.unwrap(), two.unwrap()), (expected.clone(), expected));
    assert!(filled.opened.store.settle_importance(None).await.unwrap());
    // And where somebody asks the store without any services.
    forget(&filled).await;
    assert!(besom_coordinator::query(&filled.url, IMPORTANCE).await.unwrap().rows.len() > 3);
    assert!(filled.opened.store.settle_importance(None).await.unwrap());
}

async fn importance_that_cannot_be_worked_out_is_read_as_it_is(filled: Filled) {
    forget(&filled).await;
    change(&filled.url, "UPDATE config_sums SET swept = '[]'").await;
    let found = asking(&filled).ask(IMPORTANCE).await.unwrap();
    assert_eq!(found.rows, Table::default().rows);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_waits_for_the_coordinator_of_the_store() {
    let filled = sql_support::sqlite().await;
    let expected = query(&filled.url, IMPORTANCE).await.unwrap();
    forget(&filled).await;
    // Whoever has the store open here holds its lock, and works nothing out yet.
    let reader = reading(&filled).await;
    let asked = tokio::spawn(async move { reader.ask(IMPORTANCE).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!asked.is_finished());
    assert!(filled.opened.store.settle_importance(None).await.unwrap());
    assert_eq!(asked.await.unwrap().unwrap(), expected);
}
