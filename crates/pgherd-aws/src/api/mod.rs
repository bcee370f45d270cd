//! Each action that is used, as a function from plain structs to plain structs. Nothing is decided here.

pub(crate) mod kms;
pub(crate) mod rds;
