//! The sweep file and what it means: parameters, points, and the configuration of each job.
//!
//! Pure: text in, values out. It opens no file, knows no database, no network, no tensor. The
//! names, ranges and defaults of the trainer's hyperparameters stand here once; coordinator, worker
//! and command line all read them here. So do the words that all of them share: the states of jobs
//! and sweeps, and how numbers read.

mod axes;
mod canonical;
mod config;
mod confusion;
mod differences;
mod edit;
mod errors;
mod expand;
mod hyperparameters;
mod metric;
mod name;
pub mod number;
mod parse;
mod refusals;
mod source;
mod spec;
pub mod statements;
mod states;
mod table;
mod trainer;
mod words;
mod yaml;

pub use config::{Engine, JobConfig, TRAINER, TRAINER_VERSION, job_config, shared_config};
pub use confusion::{ClassCounts, Confusion, Counts, Lists, MATRIX_CLASSES, MAX_CLASSES};
pub use differences::{Meaning, differences};
pub use edit::{Edit, EditError, Edited, edit};
pub use errors::SpecErrors;
pub use expand::{Expansion, Plan, PlannedJob};
pub use hyperparameters::{
    Activation, Clipping, ConfigError, EarlyStopping, Hyperparameters, Initializer, Optimizer, Params, Schedule,
};
pub use metric::{EpochRecord, MetricName};
pub use name::{SweepName, handle};
pub use parse::{parse, parse_stored};
pub use source::shown_source;
pub use spec::{
    DatasetSpec, Goal, KeepModels, Method, Metric, ParameterSpec, Scale, ScoredEpoch, SpecError, SweepSpec,
};
pub use states::{ImportanceKind, JobCounts, JobState, SweepState};
pub use table::{Cell, CellType, Column, Row, Table, TableError};
pub use trainer::{Counting, MLP, Steps, Trainer, TrainerKind, TrainerMetric};
pub use words::{nearest_names, steers_terminal};
