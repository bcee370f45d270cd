//! What a plan promises of the outputs: what is known stays known, and only what a change brings about is left open.

use std::collections::BTreeSet;

use pgherd_core::cloud::Cloud;
use pgherd_core::plan::{Action, Step};
use pgherd_core::resource::{Id, Kind};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value as Ours};

use crate::fields;
use crate::protocol::Value;

/// What decides how far outputs can be promised.
pub struct Case<'a> {
    /// The kinds of things that its target has.
    pub kinds: &'static [Kind],
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
        Action::Create { .. } | Action::Delete { .. } => is_the_database(case.kinds, &step.id),
    };
    case.is_new || case.is_undecided || changed(case).contains("engine_version") || case.steps.iter().any(restarts)
}

fn is_open(name: &str, case: &Case<'_>, changed: &BTreeSet<&str>) -> bool {
    let does_something = case.is_new || !case.steps.is_empty() || !case.late.is_empty();
    let mut reshaped = case.steps.iter().filter(|step| !matches!(step.action, Action::Update { .. }));
    match cause(name, case.new.target) {
        Cause::Block => case.is_undecided,
        _ if case.is_new => !is_empty_for_good(name, case.new),
        Cause::Identity => reshaped.any(|step| is_the_database(case.kinds, &step.id)),
        Cause::Variables(causes) => {
            let is_caused = case.is_undecided || causes.iter().any(|cause| changed.contains(cause));
            does_something && (is_caused || reshaped.chain(case.drift).any(|step| may_reach(&step.id.kind, name)))
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
            Cause::Variables(&["create_read_replica", "read_replica_count", "dr_region", "dr_read_replica", "port"])
        }
        "proxy_endpoint" => Cause::Variables(&["enable_proxy"]),
        "db_subnet_group_id" | "db_subnet_group_arn" => Cause::Variables(&["vpc_id", "subnet_ids"]),
        "db_instance_endpoint" => Cause::Variables(&["publicly_accessible"]),
        // Here a standby brings a forwarder along, and a pooler is on a port of this host; elsewhere it is a host of its own.
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

/// Whether an output tells of this thing, or of what it belongs to: of what nobody has thought of, every one may.
fn may_reach(kind: &str, name: &str) -> bool {
    reaches(kind, name).unwrap_or(true)
}

/// The same, of the kinds that were thought of. A role that is made anew has the name of the one before it.
fn reaches(kind: &str, name: &str) -> Option<bool> {
    Some(match kind {
        "instance" | "cluster" => true,
        "alarm" | "alert" | "backup_replication" | "channel" | "dashboard" | "log_group" | "role" | "topic" => false,
        "secret" => ["db_credentials_secret_arn", "flask_db_config"].contains(&name),
        "security_group" | "subnet_group" | "parameter_group" => name.starts_with(&format!("db_{kind}_")),
        "firewall" => name.starts_with("db_security_group_"),
        "config" => name.starts_with("db_parameter_group_"),
        "replica" => name.starts_with("read_replica_"),
        "proxy" | "pool" => name == "proxy_endpoint",
        "database" | "user" => ["connection_string", "flask_db_config"].contains(&name),
        _ => return None,
    })
}

/// Whether that is the database itself.
fn is_the_database(kinds: &[Kind], id: &Id) -> bool {
    kinds.iter().any(|kind| kind.name == id.kind && kind.holds_data)
}

/// Whether a database without replicas, or without a pooler, has none of these, new as it is.
fn is_empty_for_good(name: &str, spec: &Spec) -> bool {
    let has_one_elsewhere = spec.target != Cloud::Local && spec.dr.as_ref().is_some_and(|dr| dr.read_replica);
    match name {
        "proxy_endpoint" => spec.proxy.is_none(),
        _ => name.starts_with("read_replica_") && spec.replicas == 0 && !has_one_elsewhere,
    }
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

    /// One that is new.
    fn case<'c>(new: &'c Spec, steps: &'c [Step], drift: &'c [Step], late: &'c [&'c str]) -> Case<'c> {
        Case { kinds: pgherd_aws::KINDS, is_new: true, old: None, new, steps, drift, late, is_undecided: false }
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
        let case = Case { is_new: false, old: Some(&old), ..case(&new, steps, drift, late) };
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

    /// Whoever hangs on the database must not be made anew for it.
    #[test]
    fn a_proxy_that_comes_and_goes_opens_its_own_address_alone() {
        let on = [("enable_proxy", Value::Bool(true))];
        let role = Step { id: Id::new("role", "pgherd-orders-eu-central-1-proxy"), ..made("role") };
        check(&[], &on, &[made("proxy"), role.clone(), changed("instance")], &[], &[], &["proxy_endpoint"]);
        let gone = |step: Step| Step { action: Action::Delete { holds_data: false, protected: false }, ..step };
        check(&on, &[], &[gone(made("proxy")), gone(role), changed("instance")], &[], &[], &["proxy_endpoint"]);
    }

    /// What is empty of a new one is known, and nothing else is.
    #[test]
    fn a_new_database_has_the_replicas_and_the_proxy_that_are_wanted() {
        let empty = |written: &[(&str, Value)]| {
            let spec = spec(written);
            let known = outputs(&Props::new(), &case(&spec, &[], &[], &[])).into_iter();
            let known = known.filter(|(name, value)| value.is_known() && cause_is_not_the_block(name));
            known.map(|(name, _)| name).collect::<Vec<_>>()
        };
        let replicas = ["read_replica_endpoints", "read_replica_endpoint", "read_replica_ids", "read_replica_arns"];
        assert_eq!(empty(&[]), [&["proxy_endpoint"], &replicas[..]].concat());
        assert_eq!(empty(&[("create_read_replica", Value::Bool(true))]), ["proxy_endpoint"]);
        let elsewhere = [("dr_region", Value::text("eu-west-1")), ("dr_read_replica", Value::Bool(true))];
        assert_eq!(empty(&elsewhere), ["proxy_endpoint"]);
        assert_eq!(empty(&[("enable_proxy", Value::Bool(true))]), replicas);
    }

    fn cause_is_not_the_block(name: &str) -> bool {
        !matches!(cause(name, Cloud::Aws), Cause::Block)
    }

    /// A kind that nobody has thought of would open every output, those included by which others are replaced.
    #[test]
    fn of_every_kind_of_every_target_it_is_known_what_it_reaches() {
        let targets: [&'static [Kind]; 4] =
            [pgherd_aws::KINDS, pgherd_local::desired::KINDS, pgherd_digitalocean::KINDS, pgherd_gcp::KINDS];
        let all = targets.into_iter().flatten();
        let unknown: Vec<&str> = all.map(|kind| kind.name).filter(|kind| reaches(kind, "").is_none()).collect();
        assert_eq!(unknown, [] as [&str; 0]);
        for kinds in targets {
            assert_eq!(kinds.iter().filter(|kind| is_the_database(kinds, &Id::new(kind.name, "orders"))).count(), 1);
        }
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
        let case = Case { is_new: false, old: Some(&old), ..case(&old, &steps, &steps, &[]) };
        assert!(["db_instance_port", "db_credentials_secret_arn"].iter().all(|name| is_open(
            name,
            &case,
            &BTreeSet::new()
        )));
        assert!(!is_open("db_instance_arn", &case, &BTreeSet::new()) && !is_open("effective", &case, &BTreeSet::new()));
    }
}
