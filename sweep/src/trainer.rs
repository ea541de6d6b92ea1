//! What all crates know of a trainer: its name, its version, and what its results must look like.

use serde_json::Value;

use crate::Params;

/// What executes jobs of one kind. Today there is one, the multilayer perceptron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trainer {
    /// Its name in the store, on the wire and in a job's configuration.
    pub name: &'static str,
    /// Raised whenever the same configuration would give other numbers than before.
    pub version: u32,
    /// Who executes it.
    pub kind: TrainerKind,
}

/// Who executes the jobs of a trainer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainerKind {
    /// The worker itself, in its own process.
    BuiltIn,
}

/// Which steps the records of a job must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Every one from 1 to `last`, and fewer only where the job may end early by itself, or is told to.
    Each {
        /// The last step.
        last: u32,
        /// Whether the job has a patience.
        may_end_early: bool,
    },
    /// Any, ascending.
    Any,
}

/// The multilayer perceptron.
pub const MLP: Trainer = Trainer { name: "mlp", version: 4, kind: TrainerKind::BuiltIn };

/// All of them.
const ALL: [&Trainer; 1] = [&MLP];

impl Trainer {
    /// The trainer of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|trainer| trainer.name == name)
    }

    /// Which steps the records of a job with these parameters must have. Parameters that a store has and no build writes
    /// ask for nothing.
    #[must_use]
    pub fn steps(&self, params: &Params) -> Steps {
        match self.kind {
            TrainerKind::BuiltIn => {
                let last = params.get("epochs").and_then(Value::as_u64).and_then(|last| last.try_into().ok());
                let may_end_early = params.get("patience").is_some_and(|patience| !patience.is_null());
                last.map_or(Steps::Any, |last| Steps::Each { last, may_end_early })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perceptron_has_a_record_of_each_epoch_and_fewer_only_with_a_patience() {
        let steps = |text: &str| {
            let Value::Object(params) = serde_json::from_str(text).unwrap() else { panic!("{text}") };
            Trainer::named("mlp").unwrap().steps(&params)
        };
        assert_eq!(steps(r#"{"epochs": 7, "patience": null}"#), Steps::Each { last: 7, may_end_early: false });
        assert_eq!(steps(r#"{"epochs": 7, "patience": 2}"#), Steps::Each { last: 7, may_end_early: true });
        assert_eq!(steps("{}"), Steps::Any);
        assert_eq!(Trainer::named("other"), None);
    }
}
