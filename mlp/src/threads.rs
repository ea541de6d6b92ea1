//! One thread a slot.

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::job::TrainError;

/// Makes every computation of this process single-threaded: a slot is one core, so a hidden thread
/// pool would only take cores from other slots. It also saves time: without the variable candle
/// counts the machine's cores in every matrix product.
///
/// Results do not depend on it.
///
/// # Safety
/// No other thread may exist: changing the environment while another thread reads it is undefined
/// behaviour. So it is called first thing in `main`.
#[allow(unsafe_code, reason = "the environment is the only way to tell candle")]
pub unsafe fn set_single_threaded() {
    // SAFETY: the caller promises that no other thread exists yet.
    unsafe {
        std::env::set_var("RAYON_NUM_THREADS", "1");
        std::env::set_var("CANDLE_NUM_THREADS", "1");
    }
}

/// The answer where the system gives no thread.
#[must_use]
pub fn no_thread(error: &dyn std::fmt::Display) -> TrainError {
    TrainError::hindered(format!(
        "no thread can be started ({error}); raise the limit of its processes (ulimit -u, or TasksMax of its service), or give \
         the worker fewer slots"
    ))
}

/// A pool of one thread for one training, so that parallel iterators inside candle stay on it.
pub(crate) fn single_thread() -> Result<ThreadPool, TrainError> {
    ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "train".into()).build().map_err(|error| no_thread(&error))
}
