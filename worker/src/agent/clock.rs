//! The clock that a worker judges its leases by: it never goes back, and it runs on while the
//! machine is suspended.
//!
//! On Linux `Instant` stands still in suspend, so a laptop that wakes up after an hour would
//! believe its leases to be seconds old. `/proc/uptime` counts the suspended time (CLOCK_BOOTTIME,
//! in hundredths of a second). The two are read together and the later one counts; where there is
//! no `/proc/uptime` the `Instant` alone does, and the coordinator's comparison of the lease's
//! number remains the guard.

use std::time::{Duration, Instant};

/// Time since it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    uptime: Option<Duration>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), uptime: uptime() }
    }

    /// Time passed since [`Clock::new`], suspended time included.
    pub(crate) fn now(&self) -> Duration {
        passed(self.started.elapsed(), self.uptime, uptime())
    }
}

fn passed(running: Duration, uptime_then: Option<Duration>, uptime_now: Option<Duration>) -> Duration {
    match (uptime_then, uptime_now) {
        (Some(then), Some(now)) => running.max(now.saturating_sub(then)),
        (None, _) | (_, None) => running,
    }
}

fn uptime() -> Option<Duration> {
    parse(&std::fs::read_to_string("/proc/uptime").ok()?)
}

/// The first of the two numbers of `/proc/uptime`, in seconds.
fn parse(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_suspend_counts() {
        let second = Duration::from_secs(1);
        assert_eq!(passed(second, Some(second * 50), Some(second * 3650)), second * 3600);
        assert_eq!(passed(second * 7, Some(second * 50), Some(second * 51)), second * 7);
        assert_eq!(passed(second * 7, None, Some(second * 51)), second * 7);
        assert_eq!(passed(second * 7, Some(second * 50), None), second * 7);
    }

    #[test]
    fn uptime_is_read_in_seconds() {
        assert_eq!(parse("350735.47 234388.90\n"), Some(Duration::from_millis(350_735_470)));
        assert_eq!(parse(""), None);
        assert_eq!(parse("-1 2"), None);
        assert_eq!(parse("up 2"), None);
    }

    #[test]
    fn the_clock_never_goes_back() {
        let clock = Clock::new();
        let times: Vec<Duration> = (0..100).map(|_| clock.now()).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}
