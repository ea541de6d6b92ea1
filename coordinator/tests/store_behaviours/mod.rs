//! One function a behaviour, grouped by verb. None knows which database it runs on.

pub(crate) mod acquire;
pub(crate) mod artifacts;
pub(crate) mod complete;
pub(crate) mod fence;
pub(crate) mod give_back;
pub(crate) mod invariants;
pub(crate) mod reads;
pub(crate) mod remove;
pub(crate) mod report;
pub(crate) mod retry;
pub(crate) mod shape;
pub(crate) mod statistics;
pub(crate) mod sweeps;
