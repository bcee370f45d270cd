//! What is wrong for certain with a block of which only some variables are handed over, as Terraform does when it asks about one variable
//! at a time: an error that another variable could take away may not be said before that one is known.
//!
//! Which ones could is found by trying: each variable that was not handed over is given values that decide something.

use std::collections::BTreeSet;

use jiff::civil::Date;
use pgherd_core::catalogue::{sizes, versions};
use pgherd_core::checks;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic, Severity};
use pgherd_core::inputs::Inputs;
use pgherd_core::spec;
use pgherd_core::value::Value;
use pgherd_core::variables::{self, Type, Variable};

use crate::meaning;

/// The first error that is certain and that `variable` has a part in: it is about it, or is there because of what is written for it.
/// `given` are the names that were handed over, written or not, and `target` is where everything runs, whatever it says itself.
pub fn error(
    variable: &str,
    inputs: &Inputs,
    given: &BTreeSet<&str>,
    target: Option<Cloud>,
    today: Date,
) -> Option<Diagnostic> {
    // Whoever reads of it has to find it in front of them.
    inputs.get(variable)?;
    // That there is no such target nothing takes away, and without one nothing else can be told.
    if let Some(Value::Text(_)) = inputs.get("cloud_provider").filter(|_| variable == "cloud_provider") {
        let (spec, told) = spec::resolve(inputs, target);
        if spec.is_none() {
            return told.into_iter().find(|one| one.severity == Severity::Error && about(one) == Some(variable));
        }
    }
    let mut said = errors(inputs, target, today)?;
    let without = |inputs: &Inputs| -> Option<Vec<Diagnostic>> {
        let mut inputs = inputs.clone();
        inputs.values.remove(variable);
        errors(&inputs, target, today)
    };
    if said.iter().any(|one| about(one) != Some(variable)) {
        let others = without(inputs).unwrap_or_default();
        said.retain(|one| about(one) == Some(variable) || !others.iter().any(|other| is_same(one, other)));
    }
    let named = inputs.get("cloud_provider").and_then(Value::as_text).and_then(Cloud::from_name);
    let is_handed = |one: &Variable| {
        let names = || variables::aliases(one.name).map(|alias| alias.name).chain([one.name]);
        names().any(|name| inputs.get(name).is_some()) || names().all(|name| given.contains(name))
    };
    for other in variables::all().filter(|one| one.canonical.is_none() && !one.sensitive && !is_handed(one)) {
        for value in values(other, named) {
            if said.is_empty() {
                return None;
            }
            let mut inputs = inputs.clone();
            inputs.values.insert(other.name.to_owned(), value);
            // A value that says nothing about a block takes nothing away.
            let Some(then) = errors(&inputs, target, today) else { continue };
            said.retain(|one| then.iter().any(|other| is_same(one, other)));
        }
    }
    said.into_iter().next()
}

/// The variable that something is about.
pub fn about(said: &Diagnostic) -> Option<&str> {
    match &said.at {
        At::Variable { path, .. } => path.split(['.', '[']).next(),
        At::Nowhere | At::Source { .. } => None,
    }
}

/// Every error about a block that is not to be accepted by name; `None`: what the block means cannot be told.
fn errors(inputs: &Inputs, target: Option<Cloud>, today: Date) -> Option<Vec<Diagnostic>> {
    let (spec, mut told) = spec::resolve(inputs, target);
    let spec = spec?;
    // Whether it is accepted stands in the provider's block, of which a function never learns.
    let said = meaning::check(inputs, &spec, today);
    told.extend(said.into_iter().filter(|one| !checks::is_acceptable(one.code, spec.target)));
    let waits = ["unknown-value", "unknown-target"];
    let is_open = inputs.values.values().any(|value| !value.is_known());
    told.retain(|one| one.severity == Severity::Error && !(is_open && waits.contains(&one.code)));
    Some(told)
}

fn is_same(one: &Diagnostic, other: &Diagnostic) -> bool {
    (one.code, &one.at, &one.message) == (other.code, &other.at, &other.message)
}

/// Values of a variable, such that whatever it decides is decided the one way by some of them and the other way by others.
fn values(variable: &Variable, target: Option<Cloud>) -> Vec<Value> {
    let texts = |all: &[&str]| all.iter().map(|text| Value::text(*text)).collect::<Vec<_>>();
    let list = |all: &[&str]| vec![Value::List(Vec::new()), Value::List(texts(all))];
    match variable.name {
        "cloud_provider" => Cloud::ALL.iter().map(|cloud| Value::text(cloud.name())).collect(),
        "preset" => texts(&["dev", "staging", "prod"]),
        "engine_version" => versions::all().iter().map(|one| Value::Text(one.major.to_string())).collect(),
        "parameter_group_family" => {
            versions::all().iter().map(|one| Value::Text(format!("postgres{}", one.major))).collect()
        }
        "instance_class" => {
            let clouds = Cloud::ALL.iter().filter(|cloud| target.is_none_or(|target| **cloud == target));
            // From the smallest to the largest, and not each of them.
            let some = clouds.flat_map(|cloud| sizes::of(*cloud).step_by(4).chain(sizes::of(*cloud).last()));
            some.map(|size| Value::text(&size.name)).collect()
        }
        "storage_type" => texts(&["gp2", "gp3", "io1", "io2", "Premium_LRS", "PremiumV2_LRS", "PD_SSD", "PD_HDD"]),
        "backup_window" => texts(&["09:00-10:00", "21:00-22:00"]),
        "maintenance_window" => texts(&["mon:10:00-mon:11:00", "thu:22:00-thu:23:00"]),
        "aws_region" | "dr_region" => texts(&["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "fra1"]),
        "parameters" => ["20", "100", "500", "5000", "100000"].map(|most| setting("max_connections", most)).into(),
        "proxy_config" => [("transaction", 1, 10_000), ("session", 20, 100)].map(pool).into(),
        "subnet_ids" | "dr_subnet_ids" => list(&["subnet-1", "subnet-2"]),
        "security_group_ids" | "allowed_security_group_ids" | "dr_security_group_ids" => list(&["sg-1"]),
        "allowed_cidr_blocks" => list(&["10.0.0.0/8"]),
        "enabled_cloudwatch_logs_exports" => list(&["postgresql"]),
        "alarm_targets" => list(&["ann@example.org"]),
        _ => of_type(&variable.ty),
    }
}

fn of_type(ty: &Type) -> Vec<Value> {
    // As far apart as limits are: those of sizes, days, ports, seconds and connections.
    const FIGURES: [i64; 24] = [
        0, 1, 2, 3, 5, 7, 10, 14, 20, 30, 35, 60, 100, 200, 400, 1000, 3000, 5432, 12_000, 16_000, 30_000, 64_000,
        100_000, 1_000_000,
    ];
    match ty {
        Type::Bool => vec![true.into(), false.into()],
        Type::Number => FIGURES.map(Value::Int).into(),
        Type::String => vec!["one".into(), "another".into()],
        Type::List(_) => vec![Value::List(Vec::new())],
        Type::Map(_) | Type::Object(_) => vec![Value::Map([].into())],
    }
}

fn setting(name: &str, value: &str) -> Value {
    let entry = [("name".to_owned(), Value::text(name)), ("value".to_owned(), Value::text(value))];
    Value::List(vec![Value::Map(entry.into())])
}

fn pool((mode, size, clients): (&str, i64, i64)) -> Value {
    let fields = [
        ("pool_mode", Value::text(mode)),
        ("default_pool_size", Value::Int(size)),
        ("max_client_conn", Value::Int(clients)),
    ];
    Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
}
