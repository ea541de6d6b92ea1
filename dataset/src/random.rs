//! The only source of randomness: ChaCha8 streams keyed by purpose, seed and index.
//!
//! A stream is a pure function of its key: a split, a drawing or an epoch draws the same numbers
//! wherever it is made, and a resumed job those of an uninterrupted one. Integers and fractions are
//! derived here and not by a library, so that nothing changes with somebody's release.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of random numbers.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of (`purpose`, `seed`, `index`); the three make up the key, so no two streams are
    /// related.
    pub fn new(purpose: [u8; 16], seed: u64, index: u64) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&purpose);
        key[16..24].copy_from_slice(&seed.to_le_bytes());
        key[24..].copy_from_slice(&index.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A whole number in `0..bound` (`bound` >= 1), each equally likely: the high half of a 128-bit
    /// product, with the few draws refused that would favour small numbers (Lemire 2019, "Fast
    /// random integer generation in an interval").
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A fraction in [0, 1) with 24 bits, exact in f32.
    #[inline]
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// A permutation of `0..n` (Fisher-Yates from the end), each equally likely.
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        for last in (1..order.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            order.swap(last, other);
        }
        order
    }

    /// A number in [-1, 1), triangular around 0: the difference of two fractions.
    #[inline]
    pub fn around_zero(&mut self) -> f32 {
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
    fn every_order_of_three_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        let mut stream = Stream::new(*b"test............", 5, 1);
        for _ in 0..60_000 {
            *counts.entry(stream.permutation(3)).or_insert(0_u32) += 1;
        }
        // Six cells of 10,000 with a standard deviation of 91: five of them are 457.
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| count.abs_diff(10_000) < 457), "{counts:?}");
    }

    #[test]
    fn fractions_lie_in_the_half_open_interval_and_average_a_half() {
        let mut stream = Stream::new(*b"test............", 5, 1);
        let draws: Vec<f32> = (0..100_000).map(|_| stream.unit()).collect();
        assert!(draws.iter().all(|&x| (0.0..1.0).contains(&x)));
        let mean = draws.iter().copied().map(f64::from).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
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
