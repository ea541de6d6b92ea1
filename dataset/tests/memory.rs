//! What is loaded of a large file takes the room of what is taken, and not of the file.

#![allow(clippy::unwrap_used, reason = "this is test code, which clippy sees only inside test functions")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{load_in, npy_ordered, spec};

/// Follows how much the whole process holds; the test is the only one of its process.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without; it hands everything on to the system's")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Samples of a file, and values of a sample.
const SAMPLES: usize = 20_000;
const FEATURES: usize = 784;

#[test]
fn the_first_samples_of_each_class_take_little_room_in_either_order_of_their_files() {
    for order in ["False", "True"] {
        let folder = tempfile::tempdir().unwrap();
        for class in ["ant", "bee"] {
            let values = vec![7; SAMPLES * FEATURES];
            let file = npy_ordered("|u1", order, &format!("({SAMPLES}, {FEATURES})"), &values);
            std::fs::write(folder.path().join(format!("{class}.npy")), file).unwrap();
        }
        let mut spec = spec(".");
        spec.per_class = Some(100);
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let loaded = load_in(folder.path(), &spec).unwrap();
        let peak = PEAK.load(Ordering::Relaxed) - before;
        assert_eq!(loaded.dataset.labels().len(), 200);
        assert!(
            peak < SAMPLES * FEATURES / 8,
            "Fortran order {order}: {peak} bytes at once for 200 samples of {FEATURES} bytes"
        );
    }
}
