//! What an agent is started with, what it tells meanwhile, and why it may end.

use std::path::PathBuf;
use std::sync::Arc;

use besom_sweep::{EpochRecord, Params};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::watchdog::Patience;

/// Makes a channel to the coordinator. Called inside the runtime that will use the channel: reports
/// have one of their own, so that a large upload never delays a renewal.
pub type Connect = Arc<dyn Fn() -> Channel + Send + Sync>;

/// How a worker presents itself and what it takes.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// For people; `None`: host name and process id.
    pub name: Option<String>,
    /// Where the coordinator is, for people.
    pub coordinator: String,
    /// Jobs trained at once, at least 1.
    pub slots: u32,
    /// BESOM_HOME, for the cache of datasets.
    pub home: PathBuf,
    /// Only jobs of this sweep; the worker ends when the sweep does.
    pub sweep: Option<i64>,
    /// How long a trainer may go without progress before it counts as hung.
    pub patience: Patience,
}

/// How a worker is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Acquire nothing new, give back what is held, say goodbye, return. Bounded to ten seconds.
    pub drain: CancellationToken,
    /// Return at once. Leases run out by themselves.
    pub stop: CancellationToken,
}

/// What a worker tells whoever shows its progress. Called from several threads; it should return
/// soon.
#[derive(Debug, Clone)]
pub enum WorkerEvent {
    /// The coordinator answered: at first, and again after an outage.
    Connected {
        /// The number that the coordinator knows this worker by.
        worker: i64,
    },
    /// There is nothing to do now. Once for each idle time.
    Waiting,
    /// The coordinator does not answer; told once for each outage.
    Away {
        /// Why, of the first call that failed.
        error: String,
    },
    /// Training begins.
    Started {
        /// Which slot.
        slot: u32,
        /// Which job.
        job: i64,
        /// Which attempt at it.
        attempt: u32,
        /// All its hyperparameters.
        params: Params,
        /// Its seed.
        seed: i64,
        /// How many epochs there will be at most.
        epochs: u32,
    },
    /// An epoch ended.
    Epoch {
        /// Which slot.
        slot: u32,
        /// Which job.
        job: i64,
        /// What came of it.
        record: EpochRecord,
    },
    /// An attempt ended and its slot is free.
    Ended {
        /// Which slot.
        slot: u32,
        /// Which job.
        job: i64,
        /// succeeded, stopped, diverged, failed, cancelled, lost or released.
        outcome: &'static str,
        /// Why, where it did not end well.
        error: Option<String>,
    },
    /// Something that a person should know.
    Notice(String),
    /// A dataset that this machine does not have is fetched.
    FetchingDataset {
        /// SHA-256 of the canonical artifact.
        digest: String,
    },
}

/// Where events go.
pub(crate) type Events = Arc<dyn Fn(WorkerEvent) + Send + Sync>;

/// Why a worker cannot go on. A coordinator that is away is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The configuration cannot be.
    #[error("{0}")]
    Config(String),
    /// The coordinator does not accept this worker: another protocol, or a request that it does not
    /// understand.
    #[error("the coordinator refused to {action}: {message}")]
    Refused {
        /// What the worker asked for.
        action: &'static str,
        /// The coordinator's words.
        message: String,
    },
    /// Every slot was given up because its trainer hangs. Only a new process has free ones.
    #[error("the trainers of all {slots} slots hang, so no slot is left; start this worker again")]
    Hung {
        /// How many there were.
        slots: u32,
    },
    /// A thread or runtime could not be made.
    #[error("failed to start the report thread")]
    Thread(#[source] std::io::Error),
}

/// Cores that this process may use: the affinity mask and the quota of its cgroup (cpu.max, or cfs
/// quotas of version 1) rounded down, at least 1. The standard library reads all of them on Linux.
pub fn default_slots() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}
