//! The ways in: the forwarder and the pooler, as processes of their own, in front of real servers.

#![expect(clippy::print_stderr, reason = "what is skipped has to be seen")]

mod client;
mod forwarder;
#[path = "../common/majors.rs"]
mod majors;
mod network;
mod pooler;
mod pooler_lead;
mod survival;
mod world;
