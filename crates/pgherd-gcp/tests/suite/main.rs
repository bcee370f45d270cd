//! What every target has to keep, on our own emulator of Google Cloud.

mod described;
mod drift;
mod flipped;
mod promises;
mod refused;
mod verbs;
mod world;
