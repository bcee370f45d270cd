//! What a plan promises of the outputs: what is known stays known, and only what a change brings about is left open.

use std::collections::BTreeSet;

use pgherd_core::cloud::Cloud;
use pgherd_core::plan::{Action, Step};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value as Ours};

use crate::fields;
use crate::protocol::Value;

/// What decides how far outputs can be promised.
pub struct Case<'a> {
    /// Whether there is no such database yet.
    pub is_new: bool,
    /// What it was to be, by its state.
    pub old: Option<&'a Spec>,
    /// What it is to be.
    pub new: &'a Spec,
    /// What is done.
    pub steps: &'a [Step],
    /// What it would take to have it as its state says: what others changed, which is put right along the way.
    pub drift: &'a [Step],
    /// The variables that are not known yet, and may become others than they are in `new`.
    pub late: &'a [&'a str],
    /// Whether other settings may follow from one of those.
    pub is_undecided: bool,
}

/// Why an output may become another one.
enum Cause {
    /// It says what the block says.
    Block,
    /// By it the database is known.
    Identity,
    /// One of these variables.
    Variables(&'static [&'static str]),
    /// Whatever is done.
    Anything,
}

/// The outputs as they can be promised: `outputs` are those of what there is, and of what the block says.
pub fn outputs(outputs: &Props, case: &Case<'_>) -> Vec<(String, Value)> {
    let changed = changed(case);
    let promised = |(name, value): (String, Value)| {
        let is_open = is_open(&name, case, &changed);
        (name, if is_open { Value::Unknown } else { value })
    };
    fields::told(outputs).into_iter().map(promised).collect()
}

/// Whether another version may run afterwards: a server that is started anew is the newest of its major that is installed by then.
pub fn opens_version(case: &Case<'_>) -> bool {
    let restarts = |step: &Step| match &step.action {
        Action::Update { changes, .. } => changes.iter().any(|change| change.impact.interrupts()),
        Action::Create { .. } | Action::Delete { .. } => is_the_database(&step.id.kind),
    };
    case.is_new || case.is_undecided || changed(case).contains("engine_version") || case.steps.iter().any(restarts)
}

fn is_open(name: &str, case: &Case<'_>, changed: &BTreeSet<&str>) -> bool {
    let does_something = case.is_new || !case.steps.is_empty() || !case.late.is_empty();
    let mut reshaped = case.steps.iter().filter(|step| !matches!(step.action, Action::Update { .. }));
    match cause(name, case.new.target) {
        Cause::Block => case.is_undecided,
        _ if case.is_new => !is_empty_for_good(name, case.new),
        Cause::Identity => reshaped.any(|step| is_the_database(&step.id.kind)),
        Cause::Variables(causes) => {
            let is_caused = case.is_undecided || causes.iter().any(|cause| changed.contains(cause));
            does_something && (is_caused || reshaped.chain(case.drift).any(|step| reaches(&step.id.kind, name)))
        }
        Cause::Anything => does_something,
    }
}

/// Outputs by what decides about them.
fn cause(name: &str, target: Cloud) -> Cause {
    let is_here = target == Cloud::Local;
    match name {
        "effective"
        | "db_instance_name"
        | "db_instance_username"
        | "effective_performance_insights_enabled"
        | "effective_performance_insights_kms_key_id" => Cause::Block,
        "db_instance_id" | "db_instance_arn" | "db_instance_resource_id" => Cause::Identity,
        "read_replica_endpoints" | "read_replica_endpoint" | "read_replica_ids" | "read_replica_arns" => {
            Cause::Variables(&["create_read_replica", "read_replica_count", "port", "dr_region", "dr_read_replica"])
        }
        "db_subnet_group_id" | "db_subnet_group_arn" => Cause::Variables(&["vpc_id", "subnet_ids"]),
        "db_instance_endpoint" if is_here => Cause::Variables(&["enable_proxy", "proxy_config", "publicly_accessible"]),
        "db_instance_endpoint" => Cause::Variables(&["publicly_accessible"]),
        "proxy_endpoint" if is_here => Cause::Variables(&["port", "enable_proxy", "proxy_config"]),
        "proxy_endpoint" => Cause::Variables(&["enable_proxy"]),
        // Here a standby brings a forwarder along, and the pooler stands in the server's place.
        "db_instance_port" | "db_instance_host_port" | "connection_string" | "flask_db_config" if is_here => {
            Cause::Variables(&["port", "enable_proxy", "proxy_config", "publicly_accessible", "multi_az"])
        }
        "db_instance_port" | "db_instance_host_port" | "connection_string" | "flask_db_config" => {
            Cause::Variables(&["port", "publicly_accessible"])
        }
        // The password in it may be exchanged; it is the same secret.
        "db_credentials_secret_arn" => Cause::Variables(&[]),
        "enhanced_monitoring_arn" => {
            Cause::Variables(&["monitoring_interval", "enable_enhanced_monitoring", "monitoring_role_arn"])
        }
        // Here both are fingerprints of what is in force.
        _ if is_here => Cause::Anything,
        "db_security_group_id" | "db_security_group_arn" => Cause::Variables(&["create_security_group", "vpc_id"]),
        "db_parameter_group_id" | "db_parameter_group_arn" => {
            Cause::Variables(&["engine_version", "parameters", "parameter_group_name"])
        }
        _ => Cause::Anything,
    }
}

/// Whether an output tells of a thing of this kind, or of what it belongs to.
fn reaches(kind: &str, name: &str) -> bool {
    match kind {
        "alarm" | "alert" | "backup_replication" | "config" | "dashboard" | "database" | "firewall" | "log_group"
        | "topic" | "user" => false,
        "role" => name == "enhanced_monitoring_arn",
        "secret" => ["db_credentials_secret_arn", "flask_db_config"].contains(&name),
        "security_group" | "subnet_group" | "parameter_group" => name.starts_with(&format!("db_{kind}_")),
        "replica" => name.starts_with("read_replica_"),
        "proxy" | "pool" => name == "proxy_endpoint",
        _ => true,
    }
}

/// Whether that is the database itself, as far as is known.
fn is_the_database(kind: &str) -> bool {
    reaches(kind, "db_instance_id")
}

/// Whether a database without replicas has none of these, new as it is.
fn is_empty_for_good(name: &str, spec: &Spec) -> bool {
    let has_one_there = spec.dr.as_ref().is_some_and(|dr| dr.read_replica);
    name.starts_with("read_replica_") && spec.replicas == 0 && !has_one_there
}

/// The variables whose effective values differ, or may.
fn changed<'c>(case: &Case<'c>) -> BTreeSet<&'c str> {
    let before = |name: &str| case.old.and_then(|old| old.effective.get(name)).map(|effective| &effective.value);
    let differ = case.new.effective.iter().filter(|(name, is)| before(name) != Some(&is.value));
    differ.map(|(name, _)| name.as_str()).chain(case.late.iter().copied()).collect()
}

/// The version that runs, which the engine tells among the settings.
pub fn take_version(outputs: &mut Props) -> Value {
    let effective = outputs.get_mut("effective");
    let Some(Ours::Map(settings)) = effective else { return Value::Null };
    settings.remove("engine_version_actual").map_or(Value::Null, |version| fields::theirs(&version))
}

#[cfg(test)]
mod tests {
    use pgherd_core::plan::{Change, When};
    use pgherd_core::resource::{Id, Impact, Resource};
    use pgherd_core::variables::OUTPUTS;

    use super::*;
    use crate::meaning::Meaning;
    use crate::settings::Settings;

    fn spec(more: &[(&str, Value)]) -> Spec {
        let place = [("cloud_provider", Value::text("aws")), ("name", Value::text("orders"))];
        let config = Value::object(place.into_iter().chain(more.iter().cloned()));
        Meaning::of(&config, &Settings::default()).0.expect("it is known where it is")
    }

    fn resource(kind: &str) -> Resource {
        Resource { id: Id::new(kind, "orders"), props: Props::new(), needs: Vec::new() }
    }

    fn made(kind: &str) -> Step {
        Step { id: Id::new(kind, "orders"), action: Action::Create { resource: resource(kind) }, needs: Vec::new() }
    }

    fn changed(kind: &str) -> Step {
        let change =
            Change { field: "a".to_owned(), from: Ours::Null, to: Ours::Int(1), impact: Impact::None, when: When::Now };
        let action = Action::Update { resource: resource(kind), changes: vec![change] };
        Step { id: Id::new(kind, "orders"), action, needs: Vec::new() }
    }

    /// What is left open of outputs that are all there.
    #[track_caller]
    fn check(
        old: &[(&str, Value)],
        new: &[(&str, Value)],
        steps: &[Step],
        drift: &[Step],
        late: &[&str],
        open: &[&str],
    ) {
        let (old, new) = (spec(old), spec(new));
        let case = Case { is_new: false, old: Some(&old), new: &new, steps, drift, late, is_undecided: false };
        let known: Props = OUTPUTS.iter().map(|output| (output.name.to_owned(), Ours::text("known"))).collect();
        let left: Vec<String> =
            outputs(&known, &case).into_iter().filter(|(_, value)| !value.is_known()).map(|(name, _)| name).collect();
        assert_eq!(left, open);
    }

    #[test]
    fn a_change_opens_what_hangs_on_it() {
        let days = [("backup_retention_period", Value::int(9))];
        let password = [("master_password", Value::text("Correct-horse-1"))];
        check(&[], &days, &[changed("instance")], &[], &[], &[]);
        check(&[], &password, &[changed("secret")], &[], &[], &[]);
        check(&[], &[], &[made("alarm")], &[], &[], &[]);
        check(&[], &[], &[made("security_group")], &[], &[], &["db_security_group_id", "db_security_group_arn"]);
        let reached = ["db_instance_port", "db_instance_host_port", "flask_db_config", "connection_string"];
        let port = [("port", Value::int(6000))];
        let replicas = ["read_replica_endpoints", "read_replica_endpoint", "read_replica_ids", "read_replica_arns"];
        let both = [&reached[..2], &replicas[..], &reached[2..]].concat();
        check(&[], &port, &[changed("instance")], &[], &[], &both);
    }

    /// Whoever hangs on a database that stays would be planned to be replaced.
    #[test]
    fn a_pooler_that_comes_and_goes_is_not_the_database() {
        let proxy = [("enable_proxy", Value::Bool(true))];
        let steps = [made("proxy")];
        check(&[], &proxy, &steps, &[], &[], &["proxy_endpoint"]);
        for kind in pgherd_aws::KINDS.iter().chain(pgherd_digitalocean::KINDS) {
            assert_eq!(is_the_database(kind.name), kind.holds_data, "{}", kind.name);
        }
    }

    #[test]
    fn a_replica_in_a_second_region_is_one() {
        let there = spec(&[("dr_region", Value::text("eu-west-1")), ("dr_read_replica", Value::Bool(true))]);
        assert!(!is_empty_for_good("read_replica_ids", &there) && is_empty_for_good("read_replica_ids", &spec(&[])));
    }

    #[test]
    fn what_is_not_known_yet_opens_what_hangs_on_it() {
        check(&[], &[], &[], &[], &["tags"], &[]);
        check(&[], &[], &[], &[], &["subnet_ids"], &["db_subnet_group_id", "db_subnet_group_arn"]);
    }

    #[test]
    fn what_others_changed_opens_what_it_may_have_changed_and_the_identity_never() {
        check(&[], &[], &[changed("topic")], &[changed("topic")], &[], &[]);
        check(&[], &[], &[], &[changed("instance")], &[], &[]);
        let (old, steps) = (spec(&[]), [changed("instance")]);
        let case = Case {
            is_new: false,
            old: Some(&old),
            new: &old,
            steps: &steps,
            drift: &steps,
            late: &[],
            is_undecided: false,
        };
        assert!(["db_instance_port", "db_credentials_secret_arn"].iter().all(|name| is_open(
            name,
            &case,
            &BTreeSet::new()
        )));
        assert!(!is_open("db_instance_arn", &case, &BTreeSet::new()) && !is_open("effective", &case, &BTreeSet::new()));
    }
}
