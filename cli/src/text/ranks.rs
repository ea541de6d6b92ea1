//! Places in a ranking.

/// Equal values share a rank, as in the view `best_runs`; what has no value has none.
#[derive(Debug, Default)]
pub(crate) struct Ranks {
    seen: u64,
    last: Option<(f64, u64)>,
}

impl Ranks {
    /// The rank of the next one, the best first.
    pub(crate) fn next(&mut self, value: Option<f64>) -> Option<u64> {
        let value = value?;
        self.seen += 1;
        let rank = match self.last {
            Some((last, rank)) if last == value => rank,
            _ => self.seen,
        };
        self.last = Some((value, rank));
        Some(rank)
    }
}
