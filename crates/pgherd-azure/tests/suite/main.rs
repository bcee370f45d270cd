//! What every target has to keep, on our own emulator of Azure.

mod described;
mod drift;
mod flipped;
mod promises;
mod refused;
mod verbs;
mod world;
