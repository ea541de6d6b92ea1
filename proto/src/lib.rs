//! The wire between besom's processes: the messages and services of package `besom.v1`.
//!
//! Generated from `besom/v1/*.proto`, which hold the documentation. Nothing here decides anything:
//! the coordinator and the worker each convert these types at their own border and nowhere else.
//! Beside them stands what both ends of a connection have to agree on: how slow a transfer may be,
//! and when a silent peer is given up.

pub mod link;
pub mod transfer;

/// The protocol spoken by this build. Raised when a peer of the previous number could no longer be
/// understood.
pub const PROTOCOL_VERSION: u32 = 3;

/// The build a peer tells of itself, for people.
pub const BUILD: &str = concat!("besom ", env!("CARGO_PKG_VERSION"));

/// The compiled descriptors, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/besom.v1.bin"));

/// Package `besom.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; the .proto files hold the documentation"
)]
pub mod v1 {
    tonic::include_proto!("besom.v1");
}

/// What this build tells of itself.
pub fn peer() -> v1::Peer {
    v1::Peer { protocol: PROTOCOL_VERSION, build: BUILD.to_owned() }
}
