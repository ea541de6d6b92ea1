//! The worker: the agent that holds leases, and the trainers that execute jobs.
//!
//! The crate may use the client, datasets and the perceptron. It never decides what is trained, and
//! never writes state by itself: whatever it says goes to a coordinator, which judges it. It never
//! sees the coordinator's code.
//!
//! ```
//! // A slot is a core, unless whoever starts the worker says otherwise.
//! assert!(besom_worker::agent::default_slots() >= 1);
//! ```

// Unit tests and integration tests share helpers, which name the crate as a user would.
#[cfg(test)]
extern crate self as besom_worker;

pub mod agent;
mod trainer;

pub use agent::Patience;
pub use trainer::{Mlp, Trainer};
