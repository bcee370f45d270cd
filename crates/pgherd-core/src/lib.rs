//! The pure heart of pgherd: what a block says, what it means, what should exist, and what has to change.
//!
//! Invariant: nothing here does I/O, waits, reads the clock, the environment or chance. Time is passed in.

pub mod cloud;
pub mod diagnostic;
pub mod event;
pub mod inputs;
pub mod plan;
pub mod resource;
pub mod secret;
pub mod spec;
pub mod value;
pub mod version;
pub mod window;
