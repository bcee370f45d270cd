//! Each action that is used, as a function from plain structs to plain structs. Nothing is decided here.

pub(crate) mod cloudwatch;
pub(crate) mod ec2;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod rds;
pub(crate) mod secrets;
pub(crate) mod sns;
pub(crate) mod sts;
pub(crate) mod tags;
