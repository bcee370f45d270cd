//! Carries out plans against any provider. Knows no cloud and prints nothing.

pub mod provider;
pub mod settle;
pub mod walk;
