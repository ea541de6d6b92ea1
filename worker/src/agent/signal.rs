//! What a running attempt is told: go on, finish early, or be dropped and why.
//!
//! The trainer asks before every batch, so asking is one atomic load; the asynchronous side waits
//! on a token.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

use besom_mlp::Control;

/// Why an attempt is dropped without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The coordinator says that a later attempt exists or the job is final.
    LeaseLost,
    /// No renewal for as long as the lease is sure to last.
    Fenced,
    /// The sweep was cancelled.
    Cancelled,
    /// The worker drains and gives the job back.
    Released,
    /// The coordinator does not take the attempt's records: they contradict the job or what it has
    /// stored.
    Refused,
}

impl DropReason {
    const ALL: [Self; 5] = [Self::LeaseLost, Self::Fenced, Self::Cancelled, Self::Released, Self::Refused];

    /// The word for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LeaseLost | Self::Fenced => "lost",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::Refused => "failed",
        }
    }
}

const GO: u8 = 0;
const STOP_EARLY: u8 = 1;
const FIRST_DROP: u8 = 2;

/// One attempt's orders. The first reason to drop it stays.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    word: AtomicU8,
    dropped: CancellationToken,
}

impl Signal {
    /// Ends training at the last full epoch, with a result.
    pub(crate) fn stop_early(&self) {
        // An attempt that is dropped already stays so.
        let _ = self.word.compare_exchange(GO, STOP_EARLY, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Ends training at the next batch, without a result.
    pub(crate) fn drop_it(&self, reason: DropReason) {
        let index = DropReason::ALL.iter().position(|each| *each == reason).expect("ALL holds every reason");
        let word = FIRST_DROP + u8::try_from(index).expect("a handful of reasons");
        let first = |now| (now < FIRST_DROP).then_some(word);
        let _ = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, first);
        self.dropped.cancel();
    }

    /// Why the attempt is dropped, if it is.
    pub(crate) fn dropped(&self) -> Option<DropReason> {
        let index = self.word.load(Ordering::Relaxed).checked_sub(FIRST_DROP)?;
        Some(DropReason::ALL[usize::from(index)])
    }

    /// Returns once the attempt is dropped.
    pub(crate) async fn until_dropped(&self) {
        self.dropped.cancelled().await;
    }

    /// The answer to the trainer.
    pub(crate) fn control(&self) -> Control {
        match self.word.load(Ordering::Relaxed) {
            GO => Control::Continue,
            STOP_EARLY => Control::StopEarly,
            _dropped => Control::Abort,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_to_drop_stays_and_beats_stopping_early() {
        let signal = Signal::default();
        assert!(matches!(signal.control(), Control::Continue));
        signal.stop_early();
        assert!(matches!(signal.control(), Control::StopEarly));
        assert_eq!(signal.dropped(), None);
        signal.drop_it(DropReason::Cancelled);
        signal.drop_it(DropReason::Released);
        signal.stop_early();
        assert!(matches!(signal.control(), Control::Abort));
        assert_eq!(signal.dropped(), Some(DropReason::Cancelled));
    }

    #[test]
    fn every_reason_survives_the_signal() {
        for reason in DropReason::ALL {
            let signal = Signal::default();
            signal.drop_it(reason);
            assert_eq!(signal.dropped(), Some(reason));
        }
    }
}
