//! The rows of the table, one file for a few sections.

mod care;
mod instance;
mod network;
mod watch;

use crate::cloud::Cloud;

use super::Variable;

/// The sections in the order of the reference.
pub(super) const SECTIONS: &[&[Variable]] = &[
    instance::IDENTITY,
    instance::ENGINE,
    instance::SIZE,
    instance::DATABASE,
    network::NETWORK,
    network::PLACE,
    network::AVAILABILITY,
    care::BACKUP,
    care::PROTECTION,
    care::SETTINGS,
    watch::MONITORING,
    watch::POOLING,
];

const AWS: &[Cloud] = &[Cloud::Aws];
const GCP: &[Cloud] = &[Cloud::Gcp];
const AZURE: &[Cloud] = &[Cloud::Azure];
const DIGITALOCEAN: &[Cloud] = &[Cloud::DigitalOcean];
const AWS_LOCAL: &[Cloud] = &[Cloud::Aws, Cloud::Local];
const AWS_AZURE_LOCAL: &[Cloud] = &[Cloud::Aws, Cloud::Azure, Cloud::Local];
