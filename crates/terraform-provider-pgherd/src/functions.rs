//! The functions: `resolve` folds the names that mean the same, and `problem` says what is wrong with one variable.
//!
//! The module calls both, so that an error is shown at the user's own line and another name of a setting is no change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use pgherd_core::checks;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::inputs::Inputs;
use pgherd_core::spec::{self, Origin, Spec};
use pgherd_core::text;
use pgherd_core::value::Value as Ours;
use pgherd_core::variables::{self, Variable, convert};

use crate::certain;
use crate::clock;
use crate::fields;
use crate::meaning::{self, sentence};
use crate::protocol::{Function, Signature, Type, Value};

/// `resolve`, where everything runs on this target, or where it says itself.
pub struct Resolve(pub Option<Cloud>);

/// `problem`
#[derive(Default)]
pub struct Problem {
    /// Where everything runs, whatever it says itself.
    target: Option<Cloud>,
    /// What was asked last, and answered: of a validation Terraform asks for the condition and then for the message, in the same words.
    answered: Mutex<VecDeque<(Vec<Value>, String)>>,
}

/// As many as Terraform judges side by side, and some.
const REMEMBERED: usize = 32;

impl Function for Resolve {
    fn signature(&self) -> Signature {
        Signature {
            summary: "Settings under the names that pgherd prefers".to_owned(),
            description: "Takes an object of variables, in whichever of their names, and gives what the resource pgherd_postgres takes. \
                What is not known yet stays unknown."
                .to_owned(),
            parameters: vec![("variables".to_owned(), Type::Dynamic, "What is written; null is not written.".to_owned())],
            returns: Type::Dynamic,
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, String> {
        let [Value::Map(written)] = arguments else { return Err("an object of variables is wanted here".to_owned()) };
        let inputs = inputs(written);
        let (spec, _) = spec::resolve(&inputs, self.0);
        let each = fields::canonical().filter(|variable| !variable.sensitive);
        Ok(Value::object(each.map(|variable| (variable.name, folded(variable, written, &inputs, spec.as_ref())))))
    }
}

/// A setting as it is written, whichever of its names it is written under.
fn folded(variable: &Variable, written: &BTreeMap<String, Value>, inputs: &Inputs, spec: Option<&Spec>) -> Value {
    let own = written.get(variable.name).cloned().unwrap_or(Value::Null);
    let others = || variables::aliases(variable.name).filter_map(|alias| inputs.get(alias.name));
    let effective = spec.and_then(|spec| spec.effective.get(variable.name));
    match effective.map(|effective| (&effective.origin, effective.value.as_str())) {
        // A size of another cloud is exchanged for one of the target's by whoever says so: the resource.
        Some((Origin::Alias(name), _)) if variable.name == "instance_class" => {
            written.get(*name).cloned().unwrap_or(Value::Null)
        }
        Some((Origin::Alias(_), value)) => spelled(value, variable),
        // What another name means is told by the target, so nothing is promised before that is known.
        _ if own.is_null() && others().any(|value| spec.is_none() || !value.is_known()) => Value::Unknown,
        _ => own,
    }
}

/// A value out of its text: the other names are those of strings, numbers and switches only.
fn spelled(value: &str, variable: &Variable) -> Value {
    if value == "null" {
        return Value::Null;
    }
    let text = Ours::Text(text::unquoted(value));
    convert(text, &variable.ty).map_or(Value::Null, |value| fields::theirs(&value))
}

impl Function for Problem {
    fn signature(&self) -> Signature {
        Signature {
            summary: "What is wrong with a variable".to_owned(),
            description: "The first error for certain that one variable of a database is part of, as text; empty when there is none, or when a \
                variable that is not handed over, or not known yet, might take it away. For validation blocks."
                .to_owned(),
            parameters: vec![
                ("variable".to_owned(), Type::Text, "Name of the variable.".to_owned()),
                ("variables".to_owned(), Type::Dynamic, "It, and what else it is checked against; null is not written.".to_owned()),
            ],
            returns: Type::Text,
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, String> {
        let [Value::Text(variable), Value::Map(written)] = arguments else {
            return Err("the name of a variable and an object of variables are wanted here".to_owned());
        };
        let answered = || self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let before = answered().iter().find(|(asked, _)| asked.as_slice() == arguments).map(|(_, said)| said.clone());
        if let Some(said) = before {
            return Ok(Value::text(said));
        }
        let today = clock::today();
        // What is not known yet may be anything, as what is not handed over.
        let written: BTreeMap<String, Value> = written
            .iter()
            .filter(|(_, value)| **value != Value::Unknown)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let given = written.keys().map(String::as_str).collect();
        let said = Self::among(variable, &inputs(&written), &given, self.target, today);
        // A secret is remembered by nobody.
        if variables::variable(variable).is_some_and(|variable| !variable.sensitive) {
            let mut answered = answered();
            answered.truncate(REMEMBERED - 1);
            answered.push_front((arguments.to_vec(), said.clone()));
        }
        Ok(Value::text(said))
    }
}

impl Problem {
    /// Where everything runs on this target, or where it says itself.
    pub fn on(target: Option<Cloud>) -> Self {
        Self { target, ..Self::default() }
    }

    /// The first error about a variable of a block that is wholly known.
    pub fn of(variable: &str, inputs: &Inputs, target: Option<Cloud>, today: Date) -> String {
        let (spec, mut told) = spec::resolve(inputs, target);
        if let Some(spec) = &spec {
            // Whether it is accepted stands in the provider's block, of which a function never learns.
            let said = meaning::check(inputs, spec, today);
            told.extend(said.into_iter().filter(|one| !checks::is_acceptable(one.code, spec.target)));
        }
        let waits = ["unknown-value", "unknown-target"];
        let first = told.into_iter().find(|one| {
            let may_wait = waits.contains(&one.code) && inputs.values.values().any(|value| !value.is_known());
            one.severity == Severity::Error && certain::about(one) == Some(variable) && !may_wait
        });
        first.map_or(String::new(), |one| words(&one))
    }

    /// The first error that a variable is part of, where only those of `given` are known.
    pub fn among(
        variable: &str,
        inputs: &Inputs,
        given: &BTreeSet<&str>,
        target: Option<Cloud>,
        today: Date,
    ) -> String {
        let Some(one) = certain::error(variable, inputs, given, target, today) else { return String::new() };
        let elsewhere = certain::about(&one).filter(|about| *about != variable);
        let place = elsewhere.map_or(String::new(), |about| format!("At {about}: "));
        format!("{place}{}", words(&one))
    }
}

fn words(one: &Diagnostic) -> String {
    let help = if one.help.is_empty() { String::new() } else { format!(" {}", sentence(&one.help)) };
    format!("{}{help}", sentence(&one.message))
}

/// What is written, in whichever name. Nothing that the table does not have.
fn inputs(written: &BTreeMap<String, Value>) -> Inputs {
    let known = written.iter().filter(|(name, value)| variables::variable(name).is_some() && !value.is_null());
    let block = written.get("name").and_then(Value::as_text).unwrap_or("database").to_owned();
    let ours = |name: &str, value: &Value| {
        let is_secret = variables::variable(name).is_some_and(|variable| variable.sensitive);
        if is_secret { fields::secret(value) } else { fields::ours(value) }
    };
    Inputs { block, values: known.map(|(name, value)| (name.clone(), ours(name, value))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY_DAYS: &str = "Backups can be kept for at most 35 days, not 36. Write 35 or fewer.";

    fn object(attributes: &[(&str, Value)]) -> Value {
        Value::object(attributes.iter().map(|(name, value)| (*name, value.clone())))
    }

    #[track_caller]
    fn check(written: &[(&str, Value)], name: &str, expected: &Value) {
        let resolved = Resolve(None).call(&[object(written)]).expect("an object");
        assert!(resolved.get(name) == expected, "{:?}", resolved.get(name).as_text());
    }

    #[track_caller]
    fn check_problem(variable: &str, written: &[(&str, Value)], expected: &str) {
        let problem = Problem::default();
        for _ in ["asked", "asked again"] {
            let said = problem.call(&[Value::text(variable), object(written)]).expect("text");
            assert_eq!(said.as_text(), Some(expected));
        }
        let other = problem.call(&[Value::text(variable), object(&[])]).expect("text");
        assert_eq!(other.as_text(), Some(""), "what was answered before is of what was asked before");
    }

    #[test]
    fn another_name_means_the_same() {
        check(&[("database_version", Value::text("POSTGRES_14"))], "engine_version", &Value::text("14"));
        check(&[("storage_mb", Value::int(5120))], "allocated_storage", &Value::int(5));
        check(&[("enable_encryption", Value::Bool(true))], "storage_encrypted", &Value::Bool(true));
        check(&[("tier", Value::text("db-f1-micro"))], "instance_class", &Value::text("db-f1-micro"));
    }

    #[test]
    fn what_is_not_written_stays_so_and_what_is_not_known_too() {
        check(&[], "engine_version", &Value::Null);
        check(&[("vpc_id", Value::Unknown)], "vpc_id", &Value::Unknown);
        check(&[("disk_size", Value::Unknown)], "allocated_storage", &Value::Unknown);
        let tags = object(&[("a", Value::text("b"))]);
        check(&[("tags", tags.clone())], "tags", &tags);
        // Before the target is known nothing else is.
        let nowhere = ("cloud_provider", Value::Unknown);
        check(&[nowhere.clone(), ("name", Value::text("a"))], "name", &Value::text("a"));
        check(&[nowhere.clone(), ("tier", Value::text("db-f1-micro"))], "instance_class", &Value::Unknown);
        check(&[nowhere], "instance_class", &Value::Null);
    }

    #[test]
    fn what_is_wrong_with_a_variable_is_said_and_of_others_nothing() {
        check_problem(
            "cloud_provider",
            &[("cloud_provider", Value::text("asw"))],
            "There is no target \"asw\". Write one of aws, gcp, azure, digitalocean, local.",
        );
        let days = [("backup_retention_period", Value::int(36))];
        check_problem("backup_retention_period", &days, MANY_DAYS);
        check_problem("name", &days, "");
        check_problem(
            "backup_retention_period",
            &[&days[..], &[("cloud_provider", Value::Unknown)]].concat(),
            MANY_DAYS,
        );
        check_problem("vpc_id", &[("cloud_provider", Value::text("aws")), ("vpc_id", Value::Unknown)], "");
        let quick = [("storage_type", Value::text("gp3")), ("storage_iops", Value::int(12_000))];
        check_problem("storage_iops", &[&quick[..], &[("allocated_storage", Value::Unknown)]].concat(), "");
    }
}
