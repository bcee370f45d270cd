//! pgherd for Terraform and OpenTofu: the protocol they speak to providers, and the database resource on it.

pub mod protocol;
