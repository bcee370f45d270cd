//! The local provider: real PostgreSQL on one machine, kept by a supervisor daemon.

pub mod client;
pub mod desired;
pub(crate) mod detached;
pub mod drill;
pub mod encrypted;
pub mod endpoint;
pub mod limits;
pub mod paths;
pub mod pooler;
pub mod ports;
pub mod postgres;
pub mod preflight;
pub mod provider;
pub mod sizing;
mod storage;
pub mod supervisor;
pub mod tls;
mod told;
mod written;
