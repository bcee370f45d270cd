//! Carries out plans against any provider. Knows no cloud and prints nothing.

pub mod provider;
