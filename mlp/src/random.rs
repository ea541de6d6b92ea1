//! The streams of a training: one for each purpose and epoch of a job's seed.

use besom_dataset::random::Stream;

/// What a stream's numbers are used for.
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
    /// The stream of a job's `seed` in `epoch` (0: before the first).
    pub(crate) fn stream(self, seed: i64, epoch: u32) -> Stream {
        // Part of every job's numbers: these bytes never change.
        let name = match self {
            Self::Initialisation => *b"besom/train/init",
            Self::Shuffle => *b"besom/train/shuf",
            Self::Dropout => *b"besom/train/drop",
        };
        Stream::new(name, seed.cast_unsigned(), u64::from(epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_seed_purpose_and_epoch() {
        let draw = |seed, purpose: Purpose, epoch| purpose.stream(seed, epoch).permutation(100);
        assert_eq!(draw(7, Purpose::Shuffle, 3), draw(7, Purpose::Shuffle, 3));
        assert_ne!(draw(7, Purpose::Shuffle, 3), draw(7, Purpose::Shuffle, 4));
        assert_ne!(draw(7, Purpose::Shuffle, 3), draw(7, Purpose::Dropout, 3));
        assert_ne!(draw(7, Purpose::Shuffle, 3), draw(-7, Purpose::Shuffle, 3));
    }
}
