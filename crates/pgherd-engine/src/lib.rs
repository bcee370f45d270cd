//! Carries out plans against any provider. Knows no cloud and prints nothing.

pub mod ending;
pub mod free;
pub mod operation;
pub mod provider;
pub mod run;
pub mod settle;
pub mod stop;
#[cfg(feature = "suite")]
pub mod suite;
pub mod through;
pub mod walk;
