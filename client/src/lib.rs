//! How any process talks to a coordinator, and comes by datasets.
//!
//! Endpoints and connections ([`endpoint`]), results in SQL as tables ([`queries`]), artifacts that
//! go up and come down ([`transfer`]), waits between tries ([`backoff`]), errors of networks in
//! plain words ([`network`]), and datasets from the web with their caches ([`datasets`]).
//!
//! The crate may use the wire, tokio and the file system below BESOM_HOME. It never trains, decides
//! nothing about jobs, and says nothing to people: who calls it shows what it answers.
//!
//! ```
//! use besom_client::endpoint;
//!
//! assert_eq!(endpoint::parse("hub:7070").unwrap().uri().to_string(), "http://hub:7070/");
//! assert!(endpoint::parse("hub:0").unwrap_err().to_string().contains("a port is a number from 1 to 65535"));
//! ```

pub mod backoff;
pub mod datasets;
pub mod endpoint;
pub mod network;
pub mod queries;
pub mod transfer;
pub mod unfinished;
