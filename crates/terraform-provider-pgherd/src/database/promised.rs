//! What a plan promises of the outputs: what is known stays known, and only what a change brings about is left open.

use std::collections::BTreeSet;

use pgherd_core::plan::Action;
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value as Ours};
use pgherd_engine::run::Planned;

use crate::fields;
use crate::protocol::Value;

/// Why an output may become another one.
enum Cause {
    /// Never: by its name, or by what the block says.
    Never,
    /// One of these variables.
    Variables(&'static [&'static str]),
    /// Whatever is done.
    Anything,
}

/// The outputs as they can be promised: `outputs` are those of what there is, and of what the block says; `does_something` may also be
/// that it might.
pub fn outputs(
    outputs: &Props,
    old: Option<&Spec>,
    new: &Spec,
    planned: &Planned,
    does_something: bool,
    has_drift: bool,
) -> Vec<(String, Value)> {
    let is_new = planned.observed.is_empty();
    let changed = changed(old, new);
    let reshaped = planned.plan.steps.iter().any(|step| !matches!(step.action, Action::Update { .. }));
    let open = |name: &str| match cause(name) {
        Cause::Never => false,
        _ if is_new => !is_empty_for_good(name, new),
        // What was changed by others is put right, and nobody says what that changes.
        _ if does_something && (has_drift || reshaped) => true,
        Cause::Variables(causes) => does_something && causes.iter().any(|cause| changed.contains(cause)),
        Cause::Anything => does_something,
    };
    fields::told(outputs)
        .into_iter()
        .map(|(name, value)| {
            let is_open = open(&name);
            (name, if is_open { Value::Unknown } else { value })
        })
        .collect()
}

/// Outputs by what decides about them.
fn cause(name: &str) -> Cause {
    match name {
        "effective"
        | "db_instance_name"
        | "db_instance_username"
        | "effective_performance_insights_enabled"
        | "effective_performance_insights_kms_key_id" => Cause::Never,
        "db_instance_id" | "db_instance_arn" | "db_instance_resource_id" => Cause::Variables(&[]),
        "read_replica_endpoints" | "read_replica_endpoint" | "read_replica_ids" | "read_replica_arns" => {
            Cause::Variables(&["create_read_replica", "read_replica_count", "port", "preset"])
        }
        "db_subnet_group_id" | "db_subnet_group_arn" => Cause::Variables(&["vpc_id", "subnet_ids"]),
        "db_instance_endpoint" => Cause::Variables(&["enable_proxy", "proxy_config"]),
        "db_credentials_secret_arn" => Cause::Variables(&["master_password"]),
        "enhanced_monitoring_arn" => {
            Cause::Variables(&["monitoring_interval", "enable_enhanced_monitoring", "monitoring_role_arn", "preset"])
        }
        _ => Cause::Anything,
    }
}

/// Whether a database without replicas has none of these, new as it is.
fn is_empty_for_good(name: &str, spec: &Spec) -> bool {
    name.starts_with("read_replica_") && spec.replicas == 0
}

/// The variables whose effective values differ.
fn changed<'s>(old: Option<&'s Spec>, new: &'s Spec) -> BTreeSet<&'s str> {
    let before = |name: &str| old.and_then(|old| old.effective.get(name)).map(|effective| &effective.value);
    new.effective.iter().filter(|(name, is)| before(name) != Some(&is.value)).map(|(name, _)| name.as_str()).collect()
}

/// The version that runs, which the engine tells among the settings.
pub fn take_version(outputs: &mut Props) -> Value {
    let effective = outputs.get_mut("effective");
    let Some(Ours::Map(settings)) = effective else { return Value::Null };
    settings.remove("engine_version_actual").map_or(Value::Null, |version| fields::theirs(&version))
}
