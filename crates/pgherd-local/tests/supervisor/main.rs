//! The provider, its agent and real servers, as the command line uses them. PostgreSQL 15 must be installed, or is downloaded.

mod change;
mod crash;
mod life;
mod secrets;
mod world;
