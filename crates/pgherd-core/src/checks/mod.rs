//! What can be said about a block without asking anybody: every rule once, with words and examples.
//!
//! One file a check. Its entry carries the examples that its test runs and the reference shows. [`crate::spec`] reports what it
//! cannot interpret and settings that contradict each other; everything else is said here.

mod across;
mod block;
#[cfg(test)]
mod tests;

mod alarm_targets;
mod alarms;
mod azure;
mod backup_retention;
mod cidr;
mod connections;
mod custom_key;
mod database_name;
mod digitalocean;
mod encryption;
mod final_snapshot;
mod gcp_edition;
mod iam_login;
mod insights_retention;
mod instance_name;
mod log_exports;
mod master_password;
mod master_username;
mod monitoring_interval;
mod multi_az;
mod network;
mod open_to_internet;
mod option_group;
mod parameter_apply;
mod parameter_combination;
mod parameter_danger;
mod parameter_memory;
mod parameter_name;
mod parameter_owned;
mod parameter_secret;
mod parameter_settable;
mod parameter_small;
mod parameter_value;
mod place;
mod port;
mod proxy;
mod proxy_on_aws;
mod public;
mod read_replicas;
mod rules;
mod second_region;
mod storage_growth;
mod storage_kind;
mod storage_performance;
mod storage_size;
mod storage_waste;
mod tags;
mod tls_required;
mod version_eol;
mod version_offered;
mod windows;

use jiff::civil::Date;

pub use self::across::check_across;
use self::block::Block;
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::inputs::Inputs;
use crate::spec::Spec;

/// One rule about a block.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Code of its diagnostics, stable.
    pub code: &'static str,
    /// What it holds, for the reference.
    pub words: &'static str,
    /// Arguments it has nothing to say about.
    pub fine: &'static [&'static str],
    /// Arguments it has something to say about.
    pub wrong: &'static [Wrong],
    rule: fn(&Block) -> Vec<Diagnostic>,
}

/// An example of what a check has something to say about.
#[derive(Debug, Clone, Copy)]
pub struct Wrong {
    /// Arguments of a block.
    pub block: &'static str,
    /// What is said, a line each: severity, variable, message and, in brackets, help.
    pub says: &'static [&'static str],
}

/// Every check, in the order of the variables they are about.
pub const CHECKS: &[Check] = &[
    instance_name::CHECK,
    tags::CHECK,
    version_offered::CHECK,
    version_eol::CHECK,
    gcp_edition::CHECK,
    storage_size::CHECK,
    storage_growth::CHECK,
    storage_kind::CHECK,
    storage_performance::CHECK,
    storage_waste::CHECK,
    database_name::CHECK,
    master_username::CHECK,
    master_password::CHECK,
    network::CHECK,
    cidr::CHECK,
    open_to_internet::CHECK,
    public::CHECK,
    rules::CHECK,
    port::CHECK,
    place::CHECK,
    multi_az::CHECK,
    read_replicas::CHECK,
    backup_retention::CHECK,
    windows::CHECK,
    final_snapshot::CHECK,
    encryption::CHECK,
    custom_key::CHECK,
    second_region::CHECK,
    iam_login::CHECK,
    parameter_owned::CHECK,
    parameter_name::CHECK,
    parameter_value::CHECK,
    parameter_settable::CHECK,
    parameter_apply::CHECK,
    parameter_combination::CHECK,
    parameter_memory::CHECK,
    parameter_small::CHECK,
    parameter_danger::CHECK,
    parameter_secret::CHECK,
    tls_required::CHECK,
    connections::CHECK,
    option_group::CHECK,
    insights_retention::CHECK,
    monitoring_interval::CHECK,
    log_exports::CHECK,
    alarms::CHECK,
    alarm_targets::CHECK,
    proxy::CHECK,
    proxy_on_aws::CHECK,
    azure::CHECK,
    digitalocean::CHECK,
];

/// The codes of errors of checks that `--accept` gives up, each on one target or on all: the promise is the user's to do without, or the
/// target is asked once more before anything is made.
pub const ACCEPTABLE: &[(&str, Option<Cloud>)] = &[
    ("dr-region-missing", None),
    ("open-to-internet", Some(Cloud::DigitalOcean)),
    ("tls-required", None),
    ("version-unavailable", Some(Cloud::Aws)),
];

/// Whether an error about a block on a target may be accepted.
pub fn is_acceptable(code: &str, target: Cloud) -> bool {
    ACCEPTABLE.iter().any(|(acceptable, on)| *acceptable == code && on.is_none_or(|on| on == target))
}

/// Everything wrong or noteworthy about one block. `inputs` is what was written, `spec` what it means.
pub fn check(inputs: &Inputs, spec: &Spec, today: Date) -> Vec<Diagnostic> {
    let mut said: Vec<_> = CHECKS.iter().flat_map(|check| check.run(inputs, spec, today)).collect();
    inputs.without_secrets(&mut said);
    said
}

impl Check {
    fn run(&self, inputs: &Inputs, spec: &Spec, today: Date) -> Vec<Diagnostic> {
        (self.rule)(&Block { inputs, spec, today, code: self.code })
    }
}
