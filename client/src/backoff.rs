//! How long to wait before a coordinator is asked again.

use std::time::Duration;

/// The first wait: a coordinator that restarts is back within a second.
const FIRST: Duration = Duration::from_millis(200);

/// The longest wait: people who start a coordinator again expect its workers within seconds.
const LONGEST: Duration = Duration::from_secs(10);

/// The wait after the `failures`-th failed call in a row (from 1): doubling, capped, and half of it
/// left to `spread` in
/// [0, 1), so that those who lost their coordinator together do not return together.
#[must_use]
pub fn delay(failures: u32, spread: f64) -> Duration {
    let full = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    full.mul_f64(0.5 + 0.5 * spread.clamp(0.0, 1.0))
}

/// A number in [0, 1) that differs from process to process. The low bits of a version 7 UUID are
/// random.
#[must_use]
pub fn spread() -> f64 {
    let bits = u32::try_from(uuid::Uuid::now_v7().as_u128() & u128::from(u32::MAX)).expect("masked to 32 bits");
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_cap_and_half_of_each_is_chance() {
        let mut previous = Duration::ZERO;
        for failures in 1..200 {
            let (least, most) = (delay(failures, 0.0), delay(failures, 1.0));
            assert!(most >= previous && most <= LONGEST, "{failures}: {most:?}");
            assert_eq!(least * 2, most);
            previous = most;
        }
        assert_eq!(delay(1, 1.0), FIRST);
        assert_eq!(delay(2, 1.0), FIRST * 2);
        assert_eq!(previous, LONGEST);
    }

    #[test]
    fn two_spreads_are_not_alike() {
        let spreads: Vec<f64> = (0..8).map(|_| spread()).collect();
        assert!(spreads.iter().all(|spread| (0.0..1.0).contains(spread)), "{spreads:?}");
        assert!(spreads.windows(2).any(|pair| pair[0] != pair[1]), "{spreads:?}");
    }
}
