//! Every variable matters on Azure, or says why not; and every field is declared.

use pgherd_azure::{Around, IGNORES, KINDS, desired};
use pgherd_core::cloud::Cloud;
use pgherd_core::inputs::Inputs;
use pgherd_core::resource::Resource;
use pgherd_core::spec::resolve;
use pgherd_core::value::Value;
use pgherd_core::variables::{self, Attribute, Literal, Type, Variable};

/// What is wanted of Azure where these are written.
fn wanted(values: &[(&str, Value)]) -> Vec<Resource> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (spec, _) = resolve(&Inputs { block: "db".to_owned(), values }, Some(Cloud::Azure));
    desired(&spec.expect("the target is given"), &around())
}

fn around() -> Around {
    let named = |text: &str| Some(text.to_owned());
    Around {
        location: None,
        vault: named("v"),
        workspace: named("/subscriptions/s/w"),
        identity: named("/subscriptions/s/i"),
        tenant: named("t"),
    }
}

/// A field that its kind's table does not have would end a plan.
#[test]
fn every_field_stands_in_the_table() {
    let all = [
        ("multi_az", true.into()),
        ("enable_proxy", true.into()),
        ("create_read_replica", true.into()),
        ("enable_deletion_protection", true.into()),
        ("master_username", "app".into()),
        ("alarm_targets", Value::List(vec!["ann@example.org".into()])),
        ("allocated_storage", Value::Int(900)),
        ("enable_logging", true.into()),
        ("max_allocated_storage", Value::Int(1000)),
        ("kms_key_id", "https://v.vault.azure.net/keys/k".into()),
        ("availability_zone", "1".into()),
        ("master_password", "a-long-password".into()),
        ("publicly_accessible", true.into()),
        ("allowed_cidr_blocks", Value::List(vec!["192.0.2.0/24".into()])),
        ("location", "eastus".into()),
        ("tags", of_type(Type::Map(&Type::String), "ann", true)),
    ];
    let resources = wanted(&all);
    for resource in &resources {
        let kind = KINDS.iter().find(|kind| kind.name == resource.id.kind).expect("a kind that is listed");
        for (name, value) in &resource.props {
            let by_key = kind.fields.iter().any(|field| field.name.strip_suffix(".*") == Some(name));
            match value {
                Value::Map(entries) if by_key => {
                    for key in entries.keys() {
                        assert!(kind.field(&format!("{name}.{key}")).is_some(), "{}: {name}.{key}", kind.name);
                    }
                }
                _ => assert!(kind.field(name).is_some(), "{}: {name}", kind.name),
            }
        }
        for need in &resource.needs {
            assert!(resources.iter().any(|other| other.id == *need), "{} needs {need}", resource.id);
        }
    }
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
        "proxy_config" => vec![("enable_proxy", true.into())],
        "storage_iops" => vec![("storage_type", "PremiumV2_LRS".into())],
        "enable_performance_insights" => vec![("instance_class", "GP_Standard_D2ds_v5".into())],
        "performance_insights_retention_period" => {
            vec![("instance_class", "GP_Standard_D2ds_v5".into()), ("enable_performance_insights", true.into())]
        }
        "key_identity_id" => vec![("kms_key_id", "https://v.vault.azure.net/keys/k".into())],
        "log_analytics_workspace_id" => vec![("enable_logging", true.into())],
        "allowed_cidr_blocks" | "security_group_rules" => vec![("publicly_accessible", true.into())],
        "dr_read_replica" => vec![("dr_region", "fra1".into())],
        "dr_region" => vec![("dr_read_replica", true.into())],
        "dr_vpc_id" | "dr_subnet_ids" | "dr_security_group_ids" | "dr_kms_key_id" => {
            vec![("dr_region", "fra1".into()), ("dr_read_replica", true.into())]
        }
        _ => Vec::new(),
    }
}

fn another(variable: &Variable) -> Value {
    let text = match variable.name {
        "preset" => "prod",
        "engine_version" => "15",
        "parameter_group_family" => "postgres15",
        "instance_class" => "GP_Standard_D4ds_v5",
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
            | "enable_binary_log_backup"
            | "create_security_group"
            | "auto_grow_enabled"
    );
    match variable.name {
        "allowed_cidr_blocks" => Value::List(vec!["192.0.2.0/24".into()]),
        "security_group_rules" => rule(),
        "parameters" => parameter(),
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

fn parameter() -> Value {
    let fields: [(&str, Value); 2] = [("name", "work_mem".into()), ("value", "64MB".into())];
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
