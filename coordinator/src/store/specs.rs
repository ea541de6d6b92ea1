//! What the files of sweeps ask for, remembered: a file never changes, and reading a large one takes a moment.

use std::{collections::HashMap, sync::Arc};

use besom_sweep::SweepSpec;

use crate::domain::SweepId;

/// The text of the files that are remembered, in bytes: those of all sweeps that run at a time, as people write them. Read, a file
/// takes up to ten times as much.
const MOST_TEXT: usize = 4 << 20;

/// The specifications that were read last. `None` stands for a file that this build reads no more.
#[derive(Default)]
pub(super) struct Specs {
    specs: HashMap<SweepId, Option<Arc<SweepSpec>>>,
    /// The text of all of them.
    bytes: usize,
}

impl Specs {
    pub(super) fn get(&self, sweep: SweepId) -> Option<Option<Arc<SweepSpec>>> {
        self.specs.get(&sweep).cloned()
    }

    /// Remembers what was read from a text of `bytes`, in the place of all others where there is no room beside them.
    pub(super) fn remember(&mut self, sweep: SweepId, bytes: usize, spec: Option<Arc<SweepSpec>>) {
        if self.bytes + bytes > MOST_TEXT {
            *self = Self::default();
        }
        self.bytes += bytes;
        self.specs.insert(sweep, spec);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_are_remembered_are_bounded() {
        let mut specs = Specs::default();
        for sweep in 1..=4 {
            specs.remember(SweepId(sweep), MOST_TEXT / 4, None);
        }
        assert!((1..=4).all(|sweep| specs.get(SweepId(sweep)).is_some()));
        specs.remember(SweepId(5), 1, None);
        assert!(specs.get(SweepId(1)).is_none() && specs.get(SweepId(5)).is_some());
    }
}
