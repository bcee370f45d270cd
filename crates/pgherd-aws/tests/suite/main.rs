//! What every target has to keep, on our own emulator of AWS.

#[macro_use]
mod flips;
mod around;
mod drift;
mod flipped;
mod promises;
mod target;
#[expect(dead_code, reason = "the tests of RDS alone use more of it")]
#[path = "../rds/world.rs"]
mod world;
