//! What holds for every block there can be.

use proptest::prelude::*;

use super::*;
use crate::value::{Props, Value};
use crate::variables::{self, Literal, Type, Variable};

/// Text that is sometimes what a variable wants.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z][a-z0-9-]{0,20}",
        "[0-9]{1,3}(\\.[0-9]{1,3})?",
        "POSTGRES_[0-9]{1,3}(_[0-9]{1,2})?",
        "postgres[0-9]{1,3}",
        "[0-2][0-9]:[0-5][0-9](-[0-2][0-9]:[0-5][0-9])?",
        "(sun|mon):[0-2][0-9]:00-(sun|mon):[0-2][0-9]:30",
        "db-custom-[0-9]{1,4}-[0-9]{1,9}",
        prop::sample::select(vec![
            "db.t3.micro",
            "db-f1-micro",
            "B_Gen5_1",
            "db-s-1vcpu-1gb",
            "db.r5.24xlarge",
            "dev",
            "staging",
            "prod",
            "aws",
            "gcp",
            "azure",
            "digitalocean",
            "local",
            "true",
            "20",
            "ingress",
            "transaction",
            "ENTERPRISE",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..200_i64).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int),
        (prop::num::f64::NORMAL | prop::num::f64::ZERO).prop_map(Value::Float)
    ]
}

/// A value of a type, or a reference in its place, or something else altogether.
fn typed(ty: Type) -> BoxedStrategy<Value> {
    let fitting = match ty {
        Type::String => text().prop_map(Value::Text).boxed(),
        Type::Number => number().boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::List(item) => prop::collection::vec(typed(*item), 0..4).prop_map(Value::List).boxed(),
        Type::Map(item) => prop::collection::btree_map(text(), typed(*item), 0..4).prop_map(Value::Map).boxed(),
        Type::Object(attributes) => {
            let each: Vec<_> = attributes
                .iter()
                .map(|attribute| (Just(attribute.name.to_owned()), prop::option::weighted(0.9, typed(attribute.ty))))
                .collect();
            let written = |all: Vec<(String, Option<Value>)>| all.into_iter().filter_map(|(key, v)| Some((key, v?)));
            each.prop_map(move |all| Value::Map(written(all).collect())).boxed()
        }
    };
    prop_oneof![
        20 => fitting,
        1 => Just(Value::Unknown("var.something".to_owned())),
        1 => Just(Value::Null),
        1 => text().prop_map(|text| Value::Secret(crate::secret::Secret::new(text))),
        1 => prop_oneof![number(), any::<bool>().prop_map(Value::Bool), text().prop_map(Value::Text)],
    ]
    .boxed()
}

/// A block of some variables, each with a value for it.
fn inputs() -> impl Strategy<Value = Inputs> {
    let names: Vec<&'static Variable> = variables::all().collect();
    prop::sample::subsequence(names, 0..25)
        .prop_flat_map(|chosen| {
            chosen.into_iter().map(|variable| (Just(variable.name.to_owned()), typed(variable.ty))).collect::<Vec<_>>()
        })
        .prop_map(|values| Inputs { block: "db".to_owned(), values: values.into_iter().collect::<Props>() })
}

fn target() -> impl Strategy<Value = Option<Cloud>> {
    prop::option::of(prop::sample::select(Cloud::ALL))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_block_is_resolved_the_same_each_time(inputs in inputs(), target in target()) {
        let (spec, diagnostics) = resolve(&inputs, target);
        prop_assert_eq!(resolve(&inputs, target), (spec.clone(), diagnostics.clone()));
        prop_assert!(spec.is_some() || diagnostics.iter().any(|said| said.severity == Severity::Error));
        if let Some(spec) = spec {
            prop_assert_eq!(spec.effective.len(), variables::all().count());
            prop_assert!(!crate::text::explain(&spec).to_string().is_empty());
        }
    }
}

/// Everything `explain` says, written down, means the same.
#[test]
fn writing_what_holds_changes_nothing() {
    for target in Cloud::ALL {
        for preset in [None, Some("dev"), Some("staging"), Some("prod")] {
            let mut inputs = block(json!({
                "resource_group_name": "r", "do_region": "fra1", "gcp_region": "us-central1", "engine_version": "16",
            }));
            inputs.values.extend(preset.map(|preset| ("preset".to_owned(), preset.into())));
            let before = resolve(&inputs, Some(*target)).0.expect("the target is given");
            for variable in variables::all().filter(|variable| variable.acts_on(*target)) {
                let mut written = inputs.clone();
                written.values.insert(variable.name.to_owned(), parsed(&before.effective[variable.name].value));
                let (after, diagnostics) = resolve(&written, Some(*target));
                let errors = diagnostics.iter().filter(|said| said.severity > Severity::Note);
                // Other names of what is written already are said to be too much, and mean the same all the same.
                let errors: Vec<_> = errors.filter(|said| said.code != "said-twice").collect();
                assert_eq!(errors, Vec::<&Diagnostic>::new(), "{} on {target}", variable.name);
                let after = after.expect("the target is given");
                assert_eq!(without_origins(after), without_origins(before.clone()), "{} on {target}", variable.name);
            }
        }
    }
}

/// A value from its HCL spelling, as far as effective values of defaults go.
fn parsed(hcl: &str) -> Value {
    match hcl {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "[]" => Value::List(Vec::new()),
        "{}" => Value::Map(Props::new()),
        text if text.starts_with('"') => Value::Text(crate::text::unquoted(text)),
        list if list.starts_with('[') => Value::List(list.trim_matches(['[', ']']).split(", ").map(parsed).collect()),
        object if object.starts_with('{') => {
            let entries = object.trim_matches(['{', '}', ' ']).split(", ").filter_map(|entry| entry.split_once(" = "));
            Value::Map(entries.map(|(key, value)| (key.to_owned(), parsed(value))).collect())
        }
        number => number.parse().map(Value::Int).unwrap_or_else(|_| Value::Float(number.parse().expect("a number"))),
    }
}

/// A value that is not the default.
fn other_value(variable: &Variable) -> Value {
    match variable.name {
        "preset" => "prod".into(),
        "local_sync" => "required".into(),
        "cloud_provider" => "local".into(),
        "engine_version" => "15".into(),
        "instance_class" => "db.m5.large".into(),
        "backup_window" => "05:00-06:00".into(),
        "maintenance_window" => "mon:05:00-mon:06:00".into(),
        "parameter_group_family" => "postgres15".into(),
        name => of_type(variable.ty, default_of(name)),
    }
}

/// The default of a switch, on the first target it acts on.
fn default_of(name: &str) -> bool {
    matches!(
        name,
        "create_security_group"
            | "copy_tags_to_snapshot"
            | "storage_encrypted"
            | "enable_backup_encryption"
            | "enable_binary_log_backup"
            | "enable_backup"
            | "auto_grow_enabled"
    )
}

fn of_type(ty: Type, default: bool) -> Value {
    match ty {
        Type::String => "something".into(),
        Type::Number => Value::Int(34),
        Type::Bool => (!default).into(),
        Type::List(item) => Value::List(vec![of_type(*item, default)]),
        Type::Map(item) => Value::Map([("Owner".to_owned(), of_type(*item, default))].into()),
        Type::Object(attributes) => {
            let value = |attribute: &variables::Attribute| match attribute.name {
                "type" => "egress".into(),
                _ => match attribute.default {
                    Some(Literal::Null) => Value::Null,
                    Some(_) | None => of_type(attribute.ty, default),
                },
            };
            Value::Map(attributes.iter().map(|attribute| (attribute.name.to_owned(), value(attribute))).collect())
        }
    }
}

/// What else must be written for a variable to matter.
fn beside(name: &str) -> serde_json::Value {
    match name {
        "read_replica_count" => json!({"create_read_replica": true}),
        "enabled_cloudwatch_logs_exports" => json!({"enable_logging": true}),
        "dr_read_replica" | "dr_vpc_id" | "dr_subnet_ids" | "dr_security_group_ids" | "dr_kms_key_id" => {
            json!({"dr_region": "eu-west-1"})
        }
        "proxy_config" => json!({"enable_proxy": true}),
        _ => json!({}),
    }
}

/// Written with a value that is not its default, each variable changes some field, besides its line in `effective`.
#[test]
fn every_variable_matters() {
    for variable in variables::all().filter(|variable| variable.canonical.is_none()) {
        let target = (variable.name != "cloud_provider").then(|| variable.clouds[0]);
        let fields = |inputs: &Inputs| {
            let mut spec = resolve(inputs, target).0.expect("the target is given");
            spec.effective.clear();
            spec
        };
        let inputs = block(beside(variable.name));
        let mut written = inputs.clone();
        written.values.insert(variable.name.to_owned(), other_value(variable));
        let matters = fields(&inputs) != fields(&written);
        assert!(matters, "{} changes nothing in the spec", variable.name);
    }
}
