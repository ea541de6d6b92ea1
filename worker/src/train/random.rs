//! The only source of randomness: ChaCha8 streams keyed by (seed, purpose, epoch).
//!
//! A stream is a pure function of its key, so an epoch draws the same numbers whether the job ran through or was
//! resumed there. Integers and floats are derived here, since libraries change their derivations between versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream's numbers are used for. The bytes are part of the key and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Parameters before the first epoch.
    Initialisation,
    /// Order of the samples of an epoch.
    Shuffle,
    /// Dropout masks of an epoch.
    Dropout,
}

impl Purpose {
    fn tag(self) -> &'static [u8; 8] {
        match self {
            Self::Initialisation => b"init    ",
            Self::Shuffle => b"shuffle ",
            Self::Dropout => b"dropout ",
        }
    }
}

/// One stream of random numbers.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of a job's `seed` for one purpose in one epoch (0: before the first).
    pub(crate) fn new(seed: i64, purpose: Purpose, epoch: u32) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(purpose.tag());
        key[16..20].copy_from_slice(&epoch.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1), a multiple of 2^-24: every value is an exact `f32`.
    pub(crate) fn unit(&mut self) -> f32 {
        const STEP: f32 = 1.0 / 16_777_216.0;
        (self.0.next_u32() >> 8) as f32 * STEP
    }

    /// Uniform in 0..`bound`, without bias: Lemire's multiplication, draws from the short remainder rejected
    /// (<https://arxiv.org/abs/1805.10941>). `bound` is above 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            if product as u32 >= rejected {
                return (product >> 32) as u32;
            }
        }
    }

    /// A permutation of 0..`n` (Fisher-Yates from the end), each equally likely.
    pub(crate) fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        for last in (1..n).rev() {
            let chosen = self.below(last + 1);
            order.swap(last as usize, chosen as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_seed_purpose_and_epoch() {
        let draw = |seed, purpose, epoch| {
            let mut stream = Stream::new(seed, purpose, epoch);
            (0..4).map(|_| stream.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, Purpose::Shuffle, 3), draw(7, Purpose::Shuffle, 3));
        assert_ne!(draw(7, Purpose::Shuffle, 3), draw(7, Purpose::Shuffle, 4));
        assert_ne!(draw(7, Purpose::Shuffle, 3), draw(7, Purpose::Dropout, 3));
        assert_ne!(draw(7, Purpose::Shuffle, 3), draw(-7, Purpose::Shuffle, 3));
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Stream::new(1, Purpose::Shuffle, 1).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        let mut stream = Stream::new(5, Purpose::Shuffle, 1);
        for _ in 0..60_000 {
            *counts.entry(stream.permutation(3)).or_insert(0_u32) += 1;
        }
        // Six cells of 10,000 with a standard deviation of 91: five of them are 457.
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| count.abs_diff(10_000) < 457), "{counts:?}");
    }

    #[test]
    fn units_lie_in_the_half_open_interval_and_average_a_half() {
        let mut stream = Stream::new(5, Purpose::Dropout, 1);
        let draws: Vec<f32> = (0..100_000).map(|_| stream.unit()).collect();
        assert!(draws.iter().all(|&x| (0.0..1.0).contains(&x)));
        let mean = draws.iter().copied().map(f64::from).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }
}
