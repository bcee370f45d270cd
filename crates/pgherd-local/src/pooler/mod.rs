//! The pooler: real PgBouncer in front of the primary, one process per instance.
//!
//! It outlives the agent and is found again by its command line. Its clients need TLS and SCRAM. It knows no password: it reads
//! the verifiers from the server (`auth_query`) as a role of its own that logs in with a certificate, and logs in as its
//! clients with what their own login proved (SCRAM pass-through; found to work with 1.18).

mod config;
mod console;
mod driver;
mod process;
mod program;
mod role;

pub use config::{Config, Files, Places, render};
pub use driver::{Lead, State};
pub use process::{Pooler, clients, end_all};
pub use program::{INSTALL, Program, find};
pub use role::{ROLE, prepare};
