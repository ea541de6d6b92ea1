//! One function a behaviour, grouped by verb. None knows which database it runs on.

pub(crate) mod acquire;
