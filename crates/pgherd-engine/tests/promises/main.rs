//! The promises of the engine, kept against a target that does its worst. `ARCHITECTURE.md` names them.

mod free;
mod generate;
mod interrupted;
mod kept;
mod provider;
mod ran;
mod shared;
mod target;
mod walked;
