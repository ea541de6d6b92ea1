//! Chance, where those that began to wait together must not go on together.

use std::time::Duration;

use crate::domain::jitter;

/// Between half and all of `full`.
pub(crate) fn jittered(full: Duration) -> Duration {
    jitter(full, (random_bits() % 1_000) as f64 / 1_000.0)
}

/// Good enough to keep those apart that met, and for nothing else.
fn random_bits() -> u64 {
    // The low bits of a version 7 UUID are random.
    uuid::Uuid::now_v7().as_u64_pair().1
}
