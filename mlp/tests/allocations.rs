//! A step allocates nothing: an epoch of many steps allocates as often as an epoch of few.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use besom_sweep::Hyperparameters;
use serde_json::json;
use support::{config, data, job, run};

/// Counts what the whole process allocates; the test is the only one of its process.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without; it hands everything on to the system's")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    let data = data(20, 4);
    for options in [
        json!({"optimizer": "sgd"}),
        json!({"optimizer": "sgd", "momentum": 0.9, "clipnorm": 1.0}),
        json!({"optimizer": "adam", "l2": 1e-4, "activation": "gelu"}),
        json!({"optimizer": "ftrl", "schedule": "cosine", "label_smoothing": 0.1, "activation": "tanh"}),
        json!({"optimizer": "nadam", "dropout": 0.2, "global_clipnorm": 1.0}),
    ] {
        let allocations = |batch_size: u32| {
            let config = config(&data, |h| {
                *h = Hyperparameters::from_params(options.as_object().unwrap()).unwrap();
                h.hidden = vec![33, 17];
                h.batch_size = batch_size;
                h.epochs = 3;
            });
            run(job(&config), &data);
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            run(job(&config), &data);
            ALLOCATIONS.load(Ordering::Relaxed) - before
        };
        // 250 rows: 96 steps, or 6. Starting and ending the thread takes one allocation more or
        // less.
        let (many, few) = (allocations(8), allocations(125));
        assert!(many.abs_diff(few) < 10, "{options}: {many} allocations with 96 steps, {few} with 6");
    }
}
