//! Random numbers of datasets: ChaCha8 streams keyed by purpose, seed and index.
//!
//! Bounded integers and fractions are made here and not by a library, so that a split or a drawing never changes
//! with somebody's release.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of random numbers.
pub(super) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of (`purpose`, `seed`, `index`); the three make up the key, so no two streams are related.
    pub(super) fn new(purpose: [u8; 16], seed: u64, index: u64) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&purpose);
        key[16..24].copy_from_slice(&seed.to_le_bytes());
        key[24..].copy_from_slice(&index.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A whole number in `0..bound` (`bound` >= 1), each equally likely: the high half of a 128-bit product, with
    /// the few draws refused that would favour small numbers (Lemire 2019, "Fast random integer generation in an
    /// interval").
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A fraction in [0, 1) with 24 bits, exact in f32.
    pub(super) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// A number in [-1, 1), triangular around 0: the difference of two fractions.
    pub(super) fn around_zero(&mut self) -> f32 {
        self.unit() - self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_integers_are_spread_evenly() {
        let mut stream = Stream::new(*b"test............", 1, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_600..10_400).contains(&count)), "{counts:?}");
    }

    #[test]
    fn streams_differ_by_every_part_of_their_key() {
        let first = |purpose, seed, index| Stream::new(purpose, seed, index).below(u64::MAX);
        let base = first(*b"test............", 1, 0);
        assert_eq!(base, first(*b"test............", 1, 0));
        assert_ne!(base, first(*b"other...........", 1, 0));
        assert_ne!(base, first(*b"test............", 2, 0));
        assert_ne!(base, first(*b"test............", 1, 1));
    }
}
