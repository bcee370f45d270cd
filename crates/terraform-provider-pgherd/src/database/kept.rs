//! Settings that stay in the state as they are, although they are not written so: as long as the block would want the same of its target
//! with them.
//!
//! An import reads all settings off the database, and a block writes some of them, each in its own spelling. What both mean is compared
//! where it matters: by what should exist.

use pgherd_core::diagnostic::Severity;
use pgherd_core::plan::plan;
use pgherd_core::resource::{Kind, Observed, Owner, Resource, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value as Ours;
use pgherd_core::variables::Variable;
use pgherd_engine::provider::Provider;
use pgherd_engine::run;

use crate::clock;
use crate::fields;
use crate::meaning::Meaning;
use crate::protocol::Value;
use crate::settings::Settings;

/// What is written, with what stays as it is in its place. `new` is what the configuration means, `old` what the state does.
///
/// Nothing else decides than the two of them: Terraform plans again before it applies, and has to be told the same.
pub fn written(
    provider: &dyn Provider,
    settings: &Settings,
    (config, new): (&Value, &Spec),
    (prior, old): (&Value, &Spec),
) -> Value {
    let differs = |variable: &&Variable| {
        let (was, is) = (prior.get(variable.name), config.get(variable.name));
        !variable.sensitive && !was.is_null() && is.is_known() && was != is
    };
    let (untold, told): (Vec<&Variable>, Vec<&Variable>) =
        fields::canonical().filter(differs).partition(|one| new.is_untold(one.name, provider.ignores()));
    let mut written = config.clone();
    let value = |spec: &Spec, name: &str| spec.effective.get(name).map(|effective| effective.value.clone());
    for variable in untold.into_iter().filter(|one| value(old, one.name) == value(new, one.name)) {
        written.set(variable.name, prior.get(variable.name).clone());
    }
    if told.is_empty() {
        return written;
    }
    let Some(base) = Meaning::of(&written, settings).0 else { return written };
    let wanted = provider.desired(&base);
    let same = |written: &Value| {
        let spec = Meaning::of(written, settings).0;
        spec.is_some_and(|spec| wants_the_same(provider.kinds(), &base, &wanted, &provider.desired(&spec)))
    };
    let with = |written: &Value, variables: &[&Variable]| {
        let mut written = written.clone();
        variables.iter().for_each(|variable| written.set(variable.name, prior.get(variable.name).clone()));
        written
    };
    let all = with(&written, &told);
    if same(&all) {
        return all;
    }
    for variable in told {
        let one = with(&written, &[variable]);
        if same(&one) {
            written = one;
        }
    }
    written
}

/// Whether somebody who wants one would have nothing to do where there is the other.
fn wants_the_same(kinds: &[Kind], spec: &Spec, wanted: &[Resource], other: &[Resource]) -> bool {
    let is_plain = |value: &Ours| matches!(value, Ours::Bool(_) | Ours::Int(_) | Ours::Text(_));
    // What is sent at creation and never compared: what is written is told, though nothing is done for it.
    let differs = |wanted: &Resource, other: &Resource| {
        let kind = kinds.iter().find(|kind| kind.name == wanted.id.kind);
        wanted.props.iter().any(|(name, value)| {
            let is_theirs = kind.and_then(|kind| kind.field(name)).is_some_and(|field| field.owner == Owner::Theirs);
            is_theirs && is_plain(value) && other.props.get(name).is_some_and(|other| other != value)
        })
    };
    if wanted.iter().any(|wanted| other.iter().any(|other| other.id == wanted.id && differs(wanted, other))) {
        return false;
    }
    // What is alike needs no look, and where it is something that only the target knows it could not be compared.
    let different = |one: &Resource, all: &[Resource]| -> Resource {
        let twin = all.iter().find(|other| other.id == one.id);
        let mut one = one.clone();
        one.props.retain(|name, value| twin.and_then(|twin| twin.props.get(name)) != Some(value));
        one.props.values_mut().for_each(name_unknown);
        one
    };
    let (wanted, other): (Vec<Resource>, Vec<Resource>) = (
        wanted.iter().map(|one| different(one, other)).collect(),
        other.iter().map(|one| different(one, wanted)).collect(),
    );
    let there = |resource: Resource| Observed {
        id: resource.id,
        props: resource.props,
        status: Status::Available,
        pending: Vec::new(),
        needs: Vec::new(),
        protected: false,
    };
    let other: Vec<Observed> = other.into_iter().map(there).collect();
    let plan = plan(kinds, &spec.block, &wanted, &other, &run::timing(spec, clock::now()));
    plan.steps.is_empty() && !plan.diagnostics.iter().any(|said| said.severity == Severity::Error)
}

/// Has what only the target knows be itself and nothing else: a plan takes it for the same as anything, and what stands beside it in a list
/// with it.
fn name_unknown(value: &mut Ours) {
    match value {
        Ours::Output(id, field) => *value = Ours::Text(format!("{field} of {id}")),
        Ours::Unknown(reference) => *value = Ours::Text(format!("unknown {reference}")),
        Ours::List(items) => items.iter_mut().for_each(name_unknown),
        Ours::Map(entries) => entries.values_mut().for_each(name_unknown),
        Ours::Null | Ours::Bool(_) | Ours::Int(_) | Ours::Float(_) | Ours::Text(_) | Ours::Secret(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule};

    use super::*;

    /// The groups of an instance of RDS with one of its own, whose id nobody knows before it is made.
    #[test]
    fn what_stands_beside_something_that_only_the_target_knows_is_compared() {
        const GROUPS: Field = Field {
            name: "VpcSecurityGroupIds",
            owner: Owner::Set,
            equality: Equality::Unordered,
            impact: ImpactRule::Always(Impact::NewConnections),
        };
        const KINDS: &[Kind] = &[Kind { name: "instance", holds_data: true, outlives: false, fields: &[GROUPS] }];
        let config = [("cloud_provider", Value::text("aws")), ("name", Value::text("orders"))];
        let spec = Meaning::of(&Value::object(config), &Settings::default()).0.expect("it is known where it is");
        let instance = |own: bool, groups: &[&str]| {
            let own = own.then(|| Ours::Output(Box::new(Id::new("security-group", "orders-db")), "GroupId".into()));
            let groups = own.into_iter().chain(groups.iter().map(|group| Ours::text(*group))).collect();
            let props = [(GROUPS.name.to_owned(), Ours::List(groups))].into();
            [Resource { id: Id::new("instance", "orders"), props, needs: Vec::new() }]
        };
        let wants_the_same = |one: &[Resource], other: &[Resource]| super::wants_the_same(KINDS, &spec, one, other);
        assert!(wants_the_same(&instance(true, &["sg-1", "sg-2"]), &instance(true, &["sg-2", "sg-1"])));
        assert!(!wants_the_same(&instance(true, &["sg-1"]), &instance(true, &["sg-2"])));
        assert!(!wants_the_same(&instance(true, &[]), &instance(true, &["sg-1"])));
        assert!(!wants_the_same(&instance(false, &["sg-1"]), &instance(true, &["sg-1"])));
    }

    /// What becomes of one setting that was the one and is written as the other, with another one beside it.
    #[track_caller]
    fn check(name: &str, was: &Value, is: &Value, beside: &[(&str, Value)], expected: &Value) {
        let settings = Settings::default();
        let provider = settings.options.local(Path::new("/nowhere"));
        let config = |value: &Value| {
            let all =
                [("cloud_provider", Value::text("local")), ("name", Value::text("orders")), (name, value.clone())];
            Value::object(all.into_iter().chain(beside.iter().cloned()))
        };
        let (prior, config) = (config(was), config(is));
        let meant = |value: &Value| Meaning::of(value, &settings).0.expect("it is known where it is");
        let written = written(&provider, &settings, (&config, &meant(&config)), (&prior, &meant(&prior)));
        assert!(written.get(name) == expected, "{name}");
    }

    #[test]
    fn what_means_the_same_stays_and_nothing_else_does() {
        let texts = |items: &[&str]| Value::List(items.iter().map(|item| Value::text(*item)).collect());
        let (days, version) = (Value::int(7), Value::text("17.4"));
        let (one, other) = (texts(&["10.0.0.0/8", "192.0.2.0/24"]), texts(&["192.0.2.0/24", "10.0.0.0/8"]));
        check("backup_retention_period", &days, &Value::Null, &[], &days);
        check("backup_retention_period", &Value::int(9), &Value::Null, &[], &Value::Null);
        check("backup_retention_period", &days, &Value::Null, &[("preset", Value::text("dev"))], &Value::Null);
        check("allowed_cidr_blocks", &one, &other, &[], &one);
        check("engine_version", &version, &Value::text("17"), &[], &version);
        check("engine_version", &version, &Value::text("17.9"), &[], &Value::text("17.9"));
        // What is not compared, and what nothing tells, is as it is written.
        check("storage_encrypted", &Value::Bool(true), &Value::Bool(false), &[], &Value::Bool(false));
        check("vpc_id", &Value::text("vpc-1"), &Value::text("vpc-2"), &[], &Value::text("vpc-2"));
        check("vpc_id", &Value::text("vpc-1"), &Value::Null, &[], &Value::Null);
        check("preset", &Value::text("dev"), &Value::Null, &[], &Value::Null);
        // Another change beside it opens nothing.
        check(
            "maintenance_window",
            &Value::text("sun:04:00-sun:05:00"),
            &Value::Null,
            &[("port", Value::int(6000))],
            &Value::text("sun:04:00-sun:05:00"),
        );
    }
}
