//! The trainer: a multilayer perceptron with Keras's meaning of every hyperparameter.
//!
//! All parameters of a model are one flat `f32` vector; an engine turns them and some rows into a loss and a flat
//! gradient, an optimizer is one loop over flat vectors, and what lies between two epochs is a `State`. A job's numbers
//! depend on its configuration, seed and dataset alone: randomness comes from streams keyed by seed, purpose and epoch,
//! every sum has one order, and each job computes on one thread. Knows nothing of leases or the wire: the agent does.

mod activation;
mod elementary;
mod engine;
mod initial;
mod job;
mod layout;
mod loss;
mod math;
mod model;
mod model_file;
mod optimizer;
mod penalty;
mod predict;
mod random;
mod schedule;
mod simd;
mod state;
mod threads;
mod trainer;

pub use job::{Control, Ending, EpochRecord, Observer, TrainError, TrainJob, Trained};
pub use model_file::{InputScaling, ModelError, ModelFile};
pub use predict::{Prediction, Predictor, sample_test};
pub(crate) use threads::no_thread;
pub use threads::set_single_threaded;
pub use trainer::train;
