//! What keeps an attempt from being executed that is no fault of its job: the job is then given
//! back, at no cost.

use besom_proto::v1;
use tonic::Code;

use besom_client::transfer::TransferError;
use besom_mlp::{FREE_MEMORY, TrainError};

/// Digits of a digest that a person reads.
const SHOWN: usize = 12;

/// Why an attempt has no result.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The job, or what trains it.
    Failed(TrainError),
    /// Everything around it.
    Hindered(Hindrance),
}

/// Something around an attempt that keeps it from being executed, with what brings it back.
#[derive(Debug)]
pub(crate) struct Hindrance {
    pub(crate) by: v1::Hindrance,
    pub(crate) problem: String,
}

impl Hindrance {
    /// This worker's machine is at fault, so that other workers may do better.
    pub(crate) fn machine(worker: &str, problem: impl std::fmt::Display) -> Self {
        Self { by: v1::Hindrance::Machine, problem: format!("worker {worker}: {problem}") }
    }

    /// Why the dataset of this digest did not come to this worker; `None` where asking in another
    /// way could not help.
    pub(crate) fn of_dataset(worker: &str, digest: &str, error: &TransferError) -> Option<Self> {
        let dataset = format!("dataset {}...", &digest[..SHOWN.min(digest.len())]);
        let missing = |how| {
            let problem = format!("{dataset} is {how} in the store; submit the file again");
            Some(Self { by: v1::Hindrance::Artifact, problem })
        };
        match error {
            TransferError::Refused(status) if status.code() == Code::NotFound => missing("not"),
            TransferError::Refused(status) if status.code() == Code::DataLoss => missing("damaged"),
            TransferError::Refused(_) | TransferError::Away(_) => None,
            TransferError::Memory { size } => Some(Self::machine(
                worker,
                format_args!("there is no memory for {dataset} of {size} bytes; {FREE_MEMORY}"),
            )),
            TransferError::Stuck { .. } | TransferError::Damaged { .. } => Some(Self::machine(
                worker,
                format_args!("{dataset} does not arrive ({error}); check the network between it and the coordinator"),
            )),
        }
    }

    /// Why a model could not be stored.
    pub(crate) fn of_model(worker: &str, error: &TransferError) -> Trouble {
        match error {
            TransferError::Stuck { .. } | TransferError::Damaged { .. } | TransferError::Memory { .. } => {
                Trouble::Hindered(Self::machine(
                    worker,
                    format_args!(
                        "the model does not arrive ({error}); check the network between it and the coordinator"
                    ),
                ))
            }
            TransferError::Refused(_) | TransferError::Away(_) => {
                TrainError::passing(format!("failed to store the model: {error}")).into()
            }
        }
    }

    /// What the trainer's machine lacks, as it says.
    pub(crate) fn of_training(worker: &str, error: TrainError) -> Trouble {
        match error.surroundings {
            true => Trouble::Hindered(Self::machine(worker, error.message)),
            false => Trouble::Failed(error),
        }
    }
}

impl From<TrainError> for Trouble {
    fn from(error: TrainError) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn a_missing_dataset_is_told_with_what_brings_it_back() {
        let digest = "50ed".repeat(16);
        let of = |error| Hindrance::of_dataset("ann", &digest, &error);
        let missing = of(TransferError::Refused(Status::not_found("no artifact"))).unwrap();
        assert_eq!(missing.problem, "dataset 50ed50ed50ed... is not in the store; submit the file again");
        assert_eq!(missing.by, v1::Hindrance::Artifact);
        let damaged = of(TransferError::Refused(Status::data_loss("damaged"))).unwrap();
        assert_eq!(damaged.problem, "dataset 50ed50ed50ed... is damaged in the store; submit the file again");
        let memory = of(TransferError::Memory { size: 7 }).unwrap();
        assert!(memory.problem.starts_with("worker ann: there is no memory for dataset 50ed"), "{}", memory.problem);
        assert_eq!(memory.by, v1::Hindrance::Machine);
        assert!(of(TransferError::Refused(Status::invalid_argument("digest"))).is_none());
    }
}
