//! The bounds of a model's size, and the choices where a file makes none.

pub(super) const DEFAULT_OPTIMIZER: &str = "sgd";
pub(super) const DEFAULT_SCHEDULE: &str = "constant";

/// Widest hidden layer. With [`MAX_LAYERS`] and [`MAX_WEIGHTS`] it keeps a model, its gradient and its optimizer's
/// state within a few gigabytes.
pub(super) const MAX_WIDTH: u64 = 8192;
/// Most hidden layers.
pub(super) const MAX_LAYERS: usize = 32;
/// Most weights between hidden layers.
pub(super) const MAX_WEIGHTS: u64 = 1 << 26;
