//! A person's side of a transfer: a word now and then, and an end that says why.

use std::time::{Duration, Instant};

use besom_client::transfer::{Caller, Party, TransferError};
use tonic::{Code, Status};

use crate::{connect::refused, output::say};

/// A word every few seconds is enough where no line can be drawn over; what is over sooner needs
/// none.
const PAUSE: Duration = Duration::from_secs(3);

/// Times that a coordinator is found away before a person is told: it is asked less and less often,
/// for half a minute in all.
const AWAY: u32 = 8;

/// Somebody who waits for a transfer.
pub(crate) struct Person {
    /// What is done with the bytes.
    what: &'static str,
    told: Instant,
    away: u32,
}

impl Person {
    /// Of a transfer that does `what`.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, told: Instant::now(), away: 0 }
    }
}

impl Party for Person {
    async fn caller(&mut self) -> Caller {
        Caller::default()
    }

    fn away(&mut self, status: &Status) -> bool {
        self.away += 1;
        if self.away == 1 {
            let problem = match status.code() {
                Code::ResourceExhausted => status.message().to_owned(),
                _ => format!("the coordinator does not answer ({})", status.message()),
            };
            say(format_args!("{}: {problem}; trying again", self.what));
        }
        self.away < AWAY
    }

    async fn unknown(&mut self) -> bool {
        false
    }

    fn refused(&mut self, _: &Status) -> bool {
        false
    }

    fn progress(&mut self, done: u64, of: u64) {
        const MIB: f64 = (1 << 20) as f64;
        self.away = 0;
        if self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            say(format_args!("{}, {:.1} of {:.1} MiB", self.what, done as f64 / MIB, of as f64 / MIB));
        }
    }
}

/// Why a transfer was given up, for a person.
pub(crate) fn given_up(error: TransferError) -> anyhow::Error {
    match error {
        TransferError::Refused(status) | TransferError::Away(status) => refused(status),
        other @ (TransferError::Stuck { .. } | TransferError::Damaged { .. } | TransferError::Memory { .. }) => {
            other.into()
        }
    }
}
