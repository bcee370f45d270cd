//! What is written, each value by itself: of the right type, not empty, understood, and known where the target needs it.

use std::collections::BTreeMap;

use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::inputs::Inputs;
use crate::secret::Secret;
use crate::text;
use crate::value::Value;
use crate::variables::{self, TypeError, Variable, aliases, convert, variable};

use super::draft::{Draft, Written};
use super::normal::{self, Trouble};

/// What is written by variable name, in normal form. What cannot be used is reported and left out.
pub(super) type Found = BTreeMap<&'static str, Written>;

pub(super) fn gather(inputs: &Inputs, draft: &mut Draft) -> Found {
    let mut found = Found::new();
    for (name, written) in &inputs.values {
        // Names that are in no table are reported where they are read; null is the same as not written (A1).
        let Some(variable) = variable(name).filter(|_| !written.is_null()) else { continue };
        if let Some(value) = usable(variable, written.clone(), inputs, draft) {
            found.insert(variable.name, Written { value, name: variable.name, as_written: text::hcl(written) });
        }
    }
    found
}

fn usable(variable: &'static Variable, value: Value, inputs: &Inputs, draft: &mut Draft) -> Option<Value> {
    if !variable.sensitive && value.has_secret() {
        refuse_secret(variable, draft);
        return None;
    }
    let value = if variable.sensitive { secret(value) } else { value };
    let value = match convert(value, &variable.ty) {
        Ok(value) => value,
        Err(errors) => {
            let told = |TypeError { path, message }| {
                Diagnostic::error("wrong-type", message).at(draft.block, format!("{}{path}", variable.name))
            };
            draft.diagnostics.extend(errors.into_iter().map(told));
            return None;
        }
    };
    let empty = empty_texts(variable.name, &value);
    if !empty.is_empty() {
        let told = |path: String| {
            let message = format!("`{path}` is empty");
            let help =
                if path == variable.name { "leave it out, or write null, to have the default" } else { "leave it out" };
            Diagnostic::error("empty-value", message).at(draft.block, path).help(help)
        };
        draft.diagnostics.extend(empty.into_iter().map(told));
        return None;
    }
    if !known_enough(variable, &value, inputs, draft) {
        return None;
    }
    match normal::form(variable, value) {
        Ok(value) => Some(value),
        Err(troubles) => {
            let told = |Trouble { code, path, message, help }| {
                Diagnostic::error(code, message).at(draft.block, format!("{}{path}", variable.name)).help(help)
            };
            draft.diagnostics.extend(troubles.into_iter().map(told));
            None
        }
    }
}

/// Where a text is empty that says something by itself: the value, or an element of a list (A1). Of an object its check knows.
fn empty_texts(name: &str, value: &Value) -> Vec<String> {
    let is_empty = |value: &Value| value.as_text() == Some("");
    match value {
        Value::List(list) => {
            let empty = list.iter().enumerate().filter(|(_, item)| is_empty(item));
            empty.map(|(index, _)| format!("{name}[{index}]")).collect()
        }
        _ if is_empty(value) => vec![name.to_owned()],
        _ => Vec::new(),
    }
}

/// A sensitive variable's value, which may be written as plain text or come from a sensitive variable of the file.
fn secret(value: Value) -> Value {
    match value {
        Value::Text(text) if !text.is_empty() => Value::Secret(Secret::new(text)),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Value::Secret(Secret::new(value.to_string())),
        Value::Secret(secret) if secret.reveal() == Some("") => Value::text(""),
        other => other,
    }
}

/// A secret in any other place would stand in names, plans and outputs.
fn refuse_secret(variable: &'static Variable, draft: &mut Draft) {
    draft.hidden.insert(variable.canonical_name());
    let message = format!("`{}` is given a sensitive value, and plans and outputs show what it is", variable.name);
    let help = "give it a variable without sensitive = true, or write nonsensitive(…) around what may be seen";
    draft.diagnostics.push(Diagnostic::error("secret-shown", message).at(draft.block, variable.name).help(help));
}

/// Says what is not known. `false` when the value is of no use at all.
fn known_enough(variable: &'static Variable, value: &Value, inputs: &Inputs, draft: &mut Draft) -> bool {
    let mut unknown = Vec::new();
    references(value, variable.name.to_owned(), &mut unknown);
    if unknown.is_empty() {
        return true;
    }
    if other_member_is_known(variable, inputs) {
        return false; // A5: what is not known is not compared, and the other member decides.
    }
    let need = Need::of(variable, draft.target);
    for (path, reference) in unknown {
        let said = match need {
            Need::Value => not_known(draft.block, variable.name, &path, reference),
            Need::Generated => Diagnostic::warning(
                "unknown-password",
                format!("the password is not known ({reference}): one is generated, once, and kept"),
            )
            .at(draft.block, path)
            .help(how_to_give(reference)),
            Need::Closed => {
                Diagnostic::warning("left-closed", format!("{reference} is not known: nothing is let in for it"))
                    .at(draft.block, path)
                    .help(how_to_give(reference))
            }
            Need::Label => Diagnostic::warning("unknown-label", format!("{reference} is not known and left out"))
                .at(draft.block, path)
                .help(how_to_give(reference)),
            Need::Nothing => continue,
        };
        draft.diagnostics.push(said);
    }
    need != Need::Value
}

/// What becomes of a value that is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The target cannot do without it.
    Value,
    /// It is generated.
    Generated,
    /// What it would open stays closed.
    Closed,
    /// It is left out.
    Label,
    /// It makes no difference.
    Nothing,
}

impl Need {
    fn of(variable: &Variable, target: Cloud) -> Self {
        let acts = variables::variable(variable.canonical_name()).is_some_and(|canonical| canonical.acts_on(target));
        match (variable.name, target) {
            ("master_password", _) => Self::Generated,
            // Labels matter to nobody on this machine, and every block of the requirements has them.
            ("tags" | "environment" | "kms_key_id" | "alarm_targets", Cloud::Local) => Self::Nothing,
            // The target has been decided by now, by somebody else.
            ("cloud_provider", _) => Self::Nothing,
            ("allowed_cidr_blocks" | "security_group_rules", Cloud::Local) => Self::Closed,
            ("tags" | "environment", _) => Self::Label,
            _ if acts => Self::Value,
            _ => Self::Nothing,
        }
    }
}

fn references<'v>(value: &'v Value, path: String, into: &mut Vec<(String, &'v str)>) {
    match value {
        Value::Unknown(reference) => into.push((path, reference)),
        Value::List(list) => {
            list.iter().enumerate().for_each(|(index, item)| references(item, format!("{path}[{index}]"), into));
        }
        Value::Map(map) => map.iter().for_each(|(key, item)| references(item, format!("{path}.{key}"), into)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Secret(_)
        | Value::Output(..) => {}
    }
}

fn other_member_is_known(variable: &Variable, inputs: &Inputs) -> bool {
    let canonical = variable.canonical_name();
    let known = |name: &str| inputs.get(name).is_some_and(|value| !value.is_null() && value.unknown().is_none());
    std::iter::once(canonical)
        .chain(aliases(canonical).map(|alias| alias.name))
        .any(|name| name != variable.name && known(name))
}

/// The target needs a value that nobody knows.
pub(super) fn not_known(block: &str, variable: &str, path: &str, reference: &str) -> Diagnostic {
    let message = format!("`{variable}` is needed, and {reference} is not known");
    // Another name of a setting is needed wherever the setting is.
    let canonical = variables::variable(variable).and_then(|named| variables::variable(named.canonical_name()));
    let only_clouds = canonical.is_some_and(|canonical| !canonical.acts_on(Cloud::Local));
    let or = if only_clouds { "; --provider local does without it" } else { "" };
    Diagnostic::error("unknown-value", message).at(block, path).help(how_to_give(reference) + or)
}

fn how_to_give(reference: &str) -> String {
    match reference.strip_prefix("var.").and_then(|rest| rest.split(['.', '[']).next()) {
        Some(name) => format!("give it with -var {name}=… or PGHERD_VAR_{name}, or write a literal"),
        None => "pgherd cannot follow this reference: write a literal, or var.<name> and give it with -var".to_owned(),
    }
}
