//! The provider, its agent and real servers, as the command line uses them. PostgreSQL 15 must be installed, or is downloaded.

#![expect(clippy::print_stderr, reason = "what is skipped has to be seen")]

mod backups;
mod bucket;
mod change;
mod crash;
mod damage;
mod life;
#[path = "../common/majors.rs"]
mod majors;
mod pair;
mod pooled;
mod promote;
mod replaced;
mod second;
mod secrets;
mod stored;
mod user;
mod versions;
mod world;
