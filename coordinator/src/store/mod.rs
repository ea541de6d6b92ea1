//! What is kept, and the only ways to change it.
//!
//! [`Store`] is the contract, and `sqlite` and `postgres` keep it. They stand on what they share:
//! the URL of a store (`url`), its paths (`paths`), its errors (`error`), its rows (`rows`) and,
//! compiled once for each of the two, what its methods do inside their transactions (`work`).
//! `query` runs SQL as people type it. Nothing here knows where the bytes of artifacts are: a store
//! and its artifacts are put together in [`crate::open`].

mod contract;
mod error;
mod grant;
pub mod lock;
mod made;
mod migrations;
pub(crate) mod paths;
pub mod postgres;
pub mod query;
mod rows;
mod specs;
pub mod sqlite;
mod starts;
mod url;
mod way;

pub use contract::{AcquireRequest, Acquired, JobReport, Store, SweepCommand};
pub use error::{OpenError, StoreError};
pub(crate) use made::until_made;
pub use url::StoreUrl;
