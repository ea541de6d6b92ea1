use std::collections::HashSet;

use besom_coordinator::{
    domain::{JobState, WriteResult},
    store::{AcquireRequest, StoreError, SweepCommand},
};

use crate::store_support::{Bench, at, failed, new_sweep, new_worker, record, request, succeeded};

pub(crate) async fn jobs_come_in_their_order_of_work_one_for_each_slot(bench: Bench) {
    let first = bench.sweep("first", 3).await;
    let second = bench.sweep("second", 3).await;
    let worker = bench.worker("w").await;
    let wish = AcquireRequest { slots: vec![7, 2, 5, 0], ..request(worker, 0) };
    let given = bench.store.acquire(wish, at(1.0)).await.unwrap();
    assert_eq!(given.iter().map(|job| job.slot).collect::<Vec<_>>(), [7, 2, 5, 0]);
    assert!(given.windows(2).all(|pair| pair[0].at.job < pair[1].at.job), "{given:?}");
    assert_eq!(given.iter().map(|job| job.sweep).collect::<Vec<_>>(), [first.id, first.id, first.id, second.id]);
    assert_eq!(given[0].config, r#"{"device":"cpu","number":0}"#);
    assert_eq!((given[1].at.attempt, given[1].seed, given[1].sweep_name.as_str()), (1, 2, "first"));
}
