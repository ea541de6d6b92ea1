//! When a worker asks again after a refusal, or after its machine kept attempts from being
//! executed.

use std::time::Duration;

/// The longest rest of a worker whose machine lacks something: it is noticed within a minute that
/// there is enough again.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How often in a row a request may be refused before the refusal counts. A request that was
/// damaged on its way is refused as well, and arrives whole the next time.
const REFUSALS: u32 = 3;

/// Counts one more refusal in `refusals`; whether the same request is worth asking again.
pub(crate) fn again(refusals: &mut u32) -> bool {
    *refusals += 1;
    *refusals < REFUSALS
}

/// How long a worker asks for nothing after its machine kept `times` attempts in a row (from 1)
/// from being executed: doubling from a second to a minute.
pub(crate) fn rest(times: u32, spread: f64) -> Duration {
    let full = Duration::from_secs(1 << times.saturating_sub(1).min(6)).min(LONGEST_REST);
    full.mul_f64(0.5 + 0.5 * spread.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_minute() {
        let rests: Vec<Duration> = (1..100).map(|times| rest(times, 1.0)).collect();
        assert!(rests.is_sorted() && rests[0] == Duration::from_secs(1) && rests[98] == LONGEST_REST, "{rests:?}");
    }
}
