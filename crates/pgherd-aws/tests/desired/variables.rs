//! Every variable matters on AWS, or says why not.

use pgherd_aws::IGNORES;
use pgherd_aws::kinds::tags::WRITTEN;
use pgherd_core::inputs::Inputs;
use pgherd_core::spec::Setting;
use pgherd_core::variables::{self, Attribute, Literal, Type, Variable};

use super::*;

/// What is wanted of AWS where these are written. The region is the block's, as for a session.
fn wanted(values: &[(&str, Value)]) -> Vec<Resource> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (spec, _) = resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Aws));
    let spec = spec.expect("the target is given");
    let region = match &spec.place.region {
        Setting::Known(region) => region.clone(),
        Setting::Unset | Setting::Unknown(_) => REGION.to_owned(),
    };
    let mut desired = desired(&spec, &region);
    // What is only remembered changes nothing.
    for tags in desired.iter_mut().filter_map(|resource| resource.props.get_mut("Tags")) {
        if let Value::Map(tags) = tags {
            tags.remove(WRITTEN);
        }
    }
    desired
}

#[test]
fn every_variable_matters_or_says_why_not() {
    assert!(IGNORES.is_sorted_by_key(|(name, _)| name));
    let wrong = |variable: &&Variable| {
        let (beside, written) = (beside(variable), (variable.name, another(variable)));
        let changes = wanted(&beside) != wanted(&[beside.clone(), vec![written]].concat());
        changes == IGNORES.iter().any(|(name, _)| *name == variable.name)
    };
    let canonical = variables::all().filter(|variable| variable.canonical.is_none());
    let wrong: Vec<_> = canonical.filter(wrong).map(|variable| variable.name).collect();
    assert_eq!(wrong, [""; 0], "these change nothing and are not ignored, or are ignored and change something");
}

#[test]
fn what_is_ignored_is_a_variable() {
    for (name, _) in IGNORES {
        assert!(variables::variable(name).is_some_and(|variable| variable.canonical.is_none()), "{name}");
    }
}

/// What has to be written too for a variable to mean anything.
fn beside(variable: &Variable) -> Vec<(&'static str, Value)> {
    match variable.name {
        "read_replica_count" => vec![("create_read_replica", true.into())],
        // Roles are of all regions, and named after one.
        "aws_region" | "monitoring_role_arn" => vec![("monitoring_interval", Value::Int(60))],
        "enabled_cloudwatch_logs_exports" => vec![("enable_logging", true.into())],
        "performance_insights_retention_period" | "performance_insights_kms_key_id" => {
            vec![("enable_performance_insights", true.into())]
        }
        "geo_redundant_backup" | "dr_read_replica" => vec![("dr_region", "eu-west-1".into())],
        "dr_region" => vec![("dr_read_replica", true.into())],
        "dr_vpc_id" | "dr_subnet_ids" | "dr_security_group_ids" | "dr_kms_key_id" => {
            vec![("dr_region", "eu-west-1".into()), ("dr_read_replica", true.into())]
        }
        _ => Vec::new(),
    }
}

fn another(variable: &Variable) -> Value {
    let text = match variable.name {
        "preset" => "prod",
        "engine_version" => "15",
        "parameter_group_family" => "postgres15",
        "instance_class" => "db.m5.large",
        "maintenance_window" => "mon:05:00-mon:06:00",
        "backup_window" => "05:00-06:00",
        "cloud_provider" => "gcp",
        "alarm_targets" => "ann@example.org",
        _ => "something",
    };
    let is_on = matches!(
        variable.name,
        "copy_tags_to_snapshot"
            | "storage_encrypted"
            | "enable_backup_encryption"
            | "enable_backup"
            | "create_security_group"
    );
    match variable.name {
        "allowed_cidr_blocks" => Value::List(vec!["192.0.2.0/24".into()]),
        "security_group_rules" => rule(),
        _ => of_type(variable.ty, text, !is_on),
    }
}

fn rule() -> Value {
    let fields: [(&str, Value); 5] = [
        ("type", "ingress".into()),
        ("from_port", Value::Int(5432)),
        ("to_port", Value::Int(5432)),
        ("protocol", "tcp".into()),
        ("cidr_blocks", Value::List(vec!["192.0.2.0/24".into()])),
    ];
    Value::List(vec![Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())])
}

fn of_type(ty: Type, text: &str, switch: bool) -> Value {
    match ty {
        Type::String => text.into(),
        Type::Number => Value::Int(124),
        Type::Bool => switch.into(),
        Type::List(item) => Value::List(vec![of_type(*item, text, switch)]),
        Type::Map(item) => Value::Map([("Owner".to_owned(), of_type(*item, text, switch))].into()),
        Type::Object(attributes) => {
            let written = attributes.iter().filter(|attribute| !matches!(attribute.default, Some(Literal::Null)));
            let value = |attribute: &Attribute| (attribute.name.to_owned(), of_type(attribute.ty, text, switch));
            Value::Map(written.map(value).collect())
        }
    }
}
