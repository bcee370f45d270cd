//! The variables and outputs of the table as attributes of Terraform, and values from one world to the other.
//!
//! There is no second list here: what pgherd's table holds is what the resource has.

use pgherd_core::cloud::Cloud;
use pgherd_core::secret::Secret;
use pgherd_core::value::{Props, Value as Ours};
use pgherd_core::variables::{self, OUTPUTS, Output, Variable};

use crate::meaning;
use crate::protocol::{Attribute, Given, Number, Shape, Type, Value};

/// What stands in the place of a value that Terraform does not know yet.
pub const NOT_YET: &str = "a value that is known after apply";

/// The variables under the name that pgherd prefers: the module folds the other names before.
pub fn canonical() -> impl Iterator<Item = &'static Variable> {
    variables::all().filter(|variable| variable.canonical.is_none())
}

/// The name under which a secret is given that reaches neither plan nor state.
pub fn write_only(variable: &Variable) -> String {
    format!("{}_wo", variable.name)
}

/// The attributes that may be written.
pub fn inputs() -> Vec<Attribute> {
    canonical().flat_map(input).collect()
}

fn input(variable: &Variable) -> Vec<Attribute> {
    let attribute = Attribute::optional(variable.name, shape(&variable.ty), description(variable));
    if !variable.sensitive {
        return vec![Attribute { given: Given::Either, ..attribute }];
    }
    let secret = Attribute { sensitive: true, ..attribute };
    // What the table says besides is of the command line: Terraform has files of its own.
    let meaning = variable.meaning.split_inclusive(". ").next().unwrap_or_default().trim_end();
    let unkept = Attribute {
        name: write_only(variable),
        description: format!(
            "{meaning} The provider keeps it in neither plan nor state; written out in a file it stands in a saved plan, which holds the configuration: use a variable with `ephemeral = true`."
        ),
        write_only: true,
        ..secret.clone()
    };
    let kept = Attribute {
        description: format!(
            "{meaning} Terraform keeps it in its state and in saved plans; `{}` is not kept.",
            unkept.name
        ),
        ..secret
    };
    vec![kept, unkept]
}

/// What is written, in the place of what Terraform proposes: it would keep a setting that nobody writes any more.
pub fn as_written(mut proposed: Value, config: &Value) -> Value {
    for variable in canonical().filter(|variable| !variable.sensitive) {
        proposed.set(variable.name, config.get(variable.name).clone());
    }
    proposed
}

/// What a variable is, with its default and what may be written.
pub fn description(variable: &Variable) -> String {
    let Variable { meaning, default, validation, .. } = variable;
    let default = if default.is_empty() { String::new() } else { format!(" Default: {default}.") };
    let validation = if validation.is_empty() { String::new() } else { format!(" May be: {validation}.") };
    format!("{meaning}{default}{validation}").replace("`--provider local`", "`PGHERD_TARGET=local`")
}

fn shape(ty: &variables::Type) -> Shape {
    match ty {
        variables::Type::Object(attributes) => Shape::One(nested(attributes)),
        variables::Type::List(variables::Type::Object(attributes)) => Shape::Many(nested(attributes)),
        other => Shape::Plain(plain(other)),
    }
}

fn nested(attributes: &[variables::Attribute]) -> Vec<Attribute> {
    let attribute = |one: &variables::Attribute| Attribute {
        given: if one.default.is_none() { Given::Required } else { Given::Optional },
        ..Attribute::optional(one.name, shape(&one.ty), one.meaning)
    };
    attributes.iter().map(attribute).collect()
}

/// A type of the table as Terraform's.
pub fn plain(ty: &variables::Type) -> Type {
    match ty {
        variables::Type::String => Type::Text,
        variables::Type::Number => Type::Number,
        variables::Type::Bool => Type::Bool,
        variables::Type::List(item) => Type::list(plain(item)),
        variables::Type::Map(item) => Type::map(plain(item)),
        variables::Type::Object(attributes) => {
            Type::Object(attributes.iter().map(|one| (one.name.to_owned(), plain(&one.ty))).collect())
        }
    }
}

/// The name of an output among the attributes: its own, unless that is what may be written.
pub fn output_name(output: &Output) -> String {
    match variables::variable(output.name) {
        Some(_) => format!("effective_{}", output.name),
        None => output.name.to_owned(),
    }
}

/// The attributes that are told.
pub fn outputs() -> Vec<Attribute> {
    let attribute = |output: &Output| Attribute {
        sensitive: output.sensitive,
        ..Attribute::computed(output_name(output), plain(&output.ty), output.meaning)
    };
    OUTPUTS.iter().map(attribute).collect()
}

/// The variable that says in which region of a target a database is.
pub fn region(target: Cloud) -> Option<&'static str> {
    match target {
        Cloud::Aws => Some("aws_region"),
        Cloud::Gcp => Some("gcp_region"),
        Cloud::Azure => Some("location"),
        Cloud::DigitalOcean => Some("do_region"),
        Cloud::Local => None,
    }
}

/// A value of Terraform's as one of ours.
pub fn ours(value: &Value) -> Ours {
    match value {
        Value::Null => Ours::Null,
        Value::Unknown => Ours::Unknown(NOT_YET.to_owned()),
        Value::Bool(bool) => Ours::Bool(*bool),
        Value::Number(Number::Int(int)) => Ours::Int(*int),
        Value::Number(Number::Float(float)) => Ours::Float(*float),
        // What is no number of ours is text, and refused where a number is wanted.
        Value::Number(Number::Digits(digits)) => digits.parse().map_or_else(|_| Ours::text(digits), Ours::Float),
        Value::Text(text) => Ours::text(text),
        Value::List(items) => Ours::List(items.iter().map(ours).collect()),
        Value::Map(entries) => Ours::Map(entries.iter().map(|(name, value)| (name.clone(), ours(value))).collect()),
    }
}

/// The same of a variable that must not be shown.
pub fn secret(value: &Value) -> Ours {
    match value {
        Value::Text(text) => Ours::Secret(Secret::new(text)),
        other => ours(other),
    }
}

/// A value of ours as one of Terraform's. A secret is nothing there.
pub fn theirs(value: &Ours) -> Value {
    match value {
        Ours::Null | Ours::Secret(_) => Value::Null,
        Ours::Unknown(_) | Ours::Output(..) => Value::Unknown,
        Ours::Bool(bool) => Value::Bool(*bool),
        Ours::Int(int) => Value::int(*int),
        Ours::Float(float) => Value::Number(Number::Float(*float)),
        Ours::Text(text) => Value::text(text),
        Ours::List(items) => Value::List(items.iter().map(theirs).collect()),
        Ours::Map(entries) => Value::object(entries.iter().map(|(name, value)| (name, theirs(value)))),
    }
}

/// The outputs of a database as attributes. A setting that is nothing is no setting, but null where it may be known late: what turns out
/// to be nothing must not vanish from a map that promised it. Whether a secret was given is nobody's business: a state that keeps none
/// would differ from its configuration for ever.
pub fn told(outputs: &Props) -> Vec<(String, Value)> {
    let is_secret = |name: &str| variables::variable(name).is_some_and(|variable| variable.sensitive);
    let present = |value: &Ours| match value {
        Ours::Map(entries) => {
            let shown = entries
                .iter()
                .filter(|(name, value)| !is_secret(name) && (!value.is_null() || meaning::may_be_late(name)));
            Value::object(shown.map(|(name, value)| (name, theirs(value))))
        }
        other => theirs(other),
    };
    OUTPUTS.iter().map(|output| (output_name(output), outputs.get(output.name).map_or(Value::Null, present))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_attribute_has_the_name_of_another() {
        let names: Vec<String> = inputs().into_iter().chain(outputs()).map(|attribute| attribute.name).collect();
        let different: BTreeSet<&String> = names.iter().collect();
        assert_eq!(names.len(), different.len(), "{names:?}");
    }

    #[test]
    fn an_output_that_is_also_written_says_that_it_is_the_effective_one() {
        let renamed: Vec<String> =
            OUTPUTS.iter().map(output_name).filter(|name| name.starts_with("effective_")).collect();
        assert_eq!(renamed, ["effective_performance_insights_enabled", "effective_performance_insights_kms_key_id"]);
    }

    #[test]
    fn every_secret_may_be_given_so_that_nobody_keeps_it() {
        let secrets: Vec<_> =
            inputs().into_iter().filter(|one| one.sensitive).map(|one| (one.name, one.write_only)).collect();
        assert_eq!(secrets, [("master_password".to_owned(), false), ("master_password_wo".to_owned(), true)]);
    }

    #[test]
    fn a_value_goes_there_and_back() {
        let value = Value::object([
            ("text", Value::text("a")),
            ("list", Value::List(vec![Value::int(1), Value::Bool(true)])),
            ("nothing", Value::Null),
            ("later", Value::Unknown),
        ]);
        assert!(theirs(&ours(&value)) == value);
        assert!(theirs(&secret(&Value::text("hunter2"))) == Value::Null);
    }
}
