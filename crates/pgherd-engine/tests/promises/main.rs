//! The promises of the engine, kept against a target that does its worst. `ARCHITECTURE.md` names them.

mod generate;
mod interrupted;
mod kept;
mod provider;
mod shared;
mod target;
