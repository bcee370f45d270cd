//! Everything about one instance, on real servers of every supported major.
//!
//! Majors that are not installed are downloaded once, into `target/`. Where that is impossible their part is skipped, and
//! says so.

#![expect(clippy::print_stderr, reason = "what is skipped has to be seen")]

mod backup;
mod configuration;
mod life;
mod limits;
mod looking;
#[path = "../common/majors.rs"]
mod majors;
mod nodes;
mod rejoining;
mod replication;
mod roles;
mod servers;
mod world;
