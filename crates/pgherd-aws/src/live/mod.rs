//! What is done to things that exist.

pub mod modify;
