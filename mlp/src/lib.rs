//! The multilayer perceptron, with Keras's meaning of every hyperparameter.
//!
//! All parameters of a model are one flat `f32` vector; an engine turns them and some rows into a
//! loss and a flat gradient, an optimizer is one loop over flat vectors, and what lies between two
//! epochs is a `State`. A job's numbers depend on its configuration, seed and dataset alone:
//! randomness comes from streams keyed by seed, purpose and epoch, every sum has one order, and
//! each job computes on one thread.
//!
//! The crate trains, keeps models and predicts. It may use datasets and the sweep file's types; it
//! reads and writes no files, knows no runtime, and knows nothing of leases or the wire: who
//! executes jobs watches a training as its [`Observer`].
//!
//! Ten epochs on drawn sketches:
//!
//! ```
//! use besom_dataset::load_local;
//! use besom_mlp::{Control, Observer, TrainJob, train};
//! use besom_sweep::{
//!     DatasetSpec, Engine, EpochRecord, Goal, Hyperparameters, JobConfig, Metric, MetricName, ScoredEpoch, Params,
//! };
//!
//! struct Shown;
//! impl Observer for Shown {
//!     fn control(&mut self) -> Control { Control::Continue }
//!     fn epoch(&mut self, _job: usize, record: &EpochRecord) {
//!         println!("epoch {}: val_accuracy {:.3}", record.step, record.metric("val_accuracy").unwrap_or(f64::NAN));
//!     }
//! }
//!
//! let spec = DatasetSpec { samples: Some(1_000), ..DatasetSpec::new("builtin:sketches") };
//! let data = load_local(&spec, std::path::Path::new(".")).unwrap().dataset;
//! let hyperparameters = Hyperparameters { epochs: 10, ..Hyperparameters::from_params(&Params::new()).unwrap() };
//! let config = JobConfig { hyperparameters, dataset: data.digest().to_owned(), engine: Engine::Native };
//! let metric = Metric { name: MetricName::of("val_accuracy"), goal: Goal::Maximize };
//! let job = TrainJob { config: &config, seed: 1, metric: &metric, scored_epoch: ScoredEpoch::Final };
//! let trained = train(&[job], &data, &mut Shown).unwrap().remove(0);
//! assert_eq!(trained.records.len(), 10);
//! ```

// Unit tests and integration tests share helpers, which name the crate as a user would.
#[cfg(test)]
extern crate self as besom_mlp;

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
mod room;
mod schedule;
mod simd;
mod state;
mod threads;
mod trainer;

pub use job::{Control, Ending, Observer, TrainError, TrainJob, Trained};
pub use model_file::{InputScaling, ModelError, ModelFile};
pub use predict::{Prediction, Predictor, sample_test};
pub use room::FREE_MEMORY;
pub use threads::{no_thread, set_single_threaded};
pub use trainer::train;
