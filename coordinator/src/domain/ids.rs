//! Identities: numbers that cannot be taken for one another.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A sweep, numbered by the store.
    SweepId
);
id!(
    /// A job, numbered by the store in order of work within its sweep.
    JobId
);
id!(
    /// A worker process, numbered when it registers.
    WorkerId
);

/// One execution of a job. The attempt is the fencing token: a write under an older one changes
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptRef {
    /// The job.
    pub job: JobId,
    /// From 1; never goes back.
    pub attempt: u32,
}

/// The right to execute one attempt. A store that was restored from a copy counts its attempts on
/// its own, so every lease also has a number, made at random when it is granted: two leases of one
/// attempt never have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// The attempt that may be executed.
    pub at: AttemptRef,
    /// Positive and random.
    pub number: i64,
}

/// A random number of 128 bits that nobody guesses: 32 lower-case hex digits in a store and on the
/// wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u128);

impl Key {
    /// A new one, of the operating system's randomness.
    ///
    /// # Panics
    /// If the operating system has none, which Linux, macOS and Windows always have once they are
    /// up.
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(u128::from_le_bytes(bytes))
    }

    /// Accepts 32 lower-case hex digits and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let valid = text.len() == 32 && text.bytes().all(hex);
        valid.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }

    /// A positive number made of it, for a lease.
    pub fn lease_number(self) -> i64 {
        let bytes = self.0.to_le_bytes();
        let low = i64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        (low & i64::MAX).max(1)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Secrets must not reach a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What a registration gives a worker, and what each of its calls carries: only all three together
/// are known to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session {
    /// The identity of the store.
    pub store: Key,
    /// The worker's number there.
    pub worker: WorkerId,
    /// Known to the worker and the store alone.
    pub secret: Key,
}

/// Microseconds since 1970-01-01 UTC, by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// A SHA-256 in lower-case hex: the name of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Accepts 64 lower-case hex digits and nothing else, so that a digest is always safe as a file
    /// name.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written_and_shown_to_nobody() {
        let key = Key::random();
        assert_eq!(Key::parse(&key.to_string()), Some(key));
        assert_ne!(Key::random(), key);
        assert_eq!(format!("{key:?}"), "Key(..)");
        for text in ["", "0", &"g".repeat(32), &"A".repeat(32), &"0".repeat(33), "+0000000000000000000000000000000"] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_number_of_a_lease_is_positive() {
        for key in [Key(0), Key(u128::MAX), Key(1 << 63), Key::random()] {
            assert!(key.lease_number() > 0);
        }
    }
}
