//! The pure heart of pgherd: what a block says, what it means, what should exist, and what has to change.
//!
//! Invariant: nothing here does I/O, waits, reads the clock, the environment or chance. Time is passed in.

pub mod backups;
pub mod catalogue;
pub mod checks;
pub mod cloud;
pub mod diagnostic;
pub mod eval;
pub mod event;
pub mod ha;
pub mod hcl;
pub mod inputs;
pub mod labels;
pub mod lint;
pub mod outputs;
pub mod plan;
pub mod report;
pub mod resource;
pub mod secret;
pub mod spec;
#[cfg(test)]
mod testing;
pub mod text;
pub mod value;
pub mod variables;
pub mod version;
pub mod window;
