//! The provider, its agent and real servers, as the command line uses them. PostgreSQL 15 must be installed, or is downloaded.

#![expect(clippy::print_stderr, reason = "what is skipped has to be seen")]

mod backups;
mod bucket;
mod change;
mod crash;
mod damage;
mod destroyed;
mod increments;
mod life;
mod lost;
#[path = "../common/majors.rs"]
mod majors;
mod pair;
mod pooled;
mod promote;
#[path = "../../../pgherd-archive/tests/repository/proxy.rs"]
#[expect(dead_code, reason = "not everything that a network does is done to a whole database")]
mod proxy;
mod replaced;
mod second;
mod secrets;
mod stored;
mod user;
mod versions;
mod world;
