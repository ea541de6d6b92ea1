//! What a request for jobs may be given. The work of both databases makes one, and the dialect of each carries it out.

use super::contract::AcquireRequest;
use crate::domain::Timestamp;

/// A free slot and the number of the lease that it would be given.
pub(super) type Place = (u32, i64);

/// What a request may be given, which looks into the queue.
pub(super) struct Grant<'r> {
    pub(super) request: &'r AcquireRequest,
    pub(super) trainer_version: i64,
    pub(super) places: &'r [Place],
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}
