//! How slow a transfer of bytes may be. Whoever receives judges it, by what comes: slow is not
//! dead.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Bytes in one message, at most: small enough that one arrives now and then however slow the link
/// is.
pub const PIECE: usize = 64 << 10;

/// Bytes a second that a transfer must bring, over every [`MINUTE`].
pub const LEAST_RATE: u64 = 1 << 10;

/// The time over which the rate is taken.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What must come within `window` at the least rate.
pub fn least_of(window: Duration) -> u64 {
    u64::try_from(u128::from(LEAST_RATE) * window.as_millis() / 1000).unwrap_or(u64::MAX)
}

/// So many arrivals are kept apart; those that are closer in time are counted as one.
const GRAINS: u32 = 60;

/// The longest that a transfer of `size` bytes can take: a slower one is ended before.
pub fn longest(size: u64) -> Duration {
    MINUTE + Duration::from_secs(size / LEAST_RATE)
}

/// The pace of one transfer: what came within the last minute, or another window.
#[derive(Debug, Clone)]
pub struct Pace {
    window: Duration,
    began: Instant,
    /// When bytes came and how many, within the window, in order.
    arrivals: VecDeque<(Instant, u64)>,
}

/// A verdict: less came than must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow {
    /// The time over which the rate was taken.
    pub window: Duration,
    /// What came within it.
    pub got: u64,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.window.as_secs_f64();
        write!(f, "the link is too slow or stands still: expected at least 1 KiB/s over {seconds} s, got ")?;
        match self.got {
            0 => f.write_str("nothing"),
            got => write!(f, "{got} bytes"),
        }
    }
}

impl Pace {
    /// Of a transfer that begins now, judged over `window`: a [`MINUTE`], but for tests.
    pub fn new(window: Duration, now: Instant) -> Self {
        Self { window, began: now, arrivals: VecDeque::new() }
    }

    /// Bytes came.
    pub fn add(&mut self, bytes: usize, now: Instant) {
        while self.arrivals.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > self.window) {
            self.arrivals.pop_front();
        }
        let grain = self.window / GRAINS;
        match self.arrivals.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < grain => *sum += bytes as u64,
            Some(_) | None => self.arrivals.push_back((now, bytes as u64)),
        }
    }

    /// When the transfer is too slow, unless more comes before.
    pub fn deadline(&self) -> Instant {
        let (mut sum, least) = (0, least_of(self.window));
        for (at, bytes) in self.arrivals.iter().rev() {
            sum += bytes;
            if sum >= least {
                return *at + self.window;
            }
        }
        self.began + self.window
    }

    /// What is said at the deadline.
    pub fn verdict(&self, now: Instant) -> TooSlow {
        let recent = self.arrivals.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= self.window);
        TooSlow { window: self.window, got: recent.map(|(_, bytes)| bytes).sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a transfer ends that brings `bytes` every `every` seconds, for an hour at most.
    fn ends(bytes: usize, every: u64) -> Option<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(MINUTE, start);
        for second in 1..=3600 {
            let now = start + Duration::from_secs(second);
            if pace.deadline() < now {
                return Some(second - 1);
            }
            if second % every == 0 {
                pace.add(bytes, now);
            }
        }
        None
    }

    #[test]
    fn whatever_brings_a_kibibyte_a_second_goes_on() {
        assert_eq!(ends(1024, 1), None);
        assert_eq!(ends(64 << 10, 59), None, "whole pieces of a link that is just fast enough");
        assert_eq!(ends(10 << 20, 55), None, "with long pauses");
    }

    #[test]
    fn whatever_brings_less_ends_after_a_minute() {
        assert_eq!(ends(4, 15), Some(60));
        assert_eq!(ends(1000, 1), Some(60));
        assert_eq!(ends(1 << 30, 70), Some(60));
    }

    #[test]
    fn a_transfer_that_stops_ends_a_minute_after_its_last_bytes() {
        let start = Instant::now();
        let mut pace = Pace::new(MINUTE, start);
        for second in 1..=600 {
            pace.add(100_000, start + Duration::from_secs(second));
        }
        assert_eq!(pace.deadline(), start + Duration::from_secs(660));
        let said = pace.verdict(start + Duration::from_secs(661)).to_string();
        assert!(said.ends_with("expected at least 1 KiB/s over 60 s, got nothing"), "{said}");
    }

    #[test]
    fn what_is_remembered_does_not_grow() {
        let start = Instant::now();
        let mut pace = Pace::new(MINUTE, start);
        for piece in 0..100_000 {
            pace.add(1, start + Duration::from_millis(10 * piece));
        }
        assert!(pace.arrivals.len() <= 61, "{}", pace.arrivals.len());
    }
}
