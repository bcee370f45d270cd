//! Every variable's effective value as text, with who decided it.

use std::collections::BTreeMap;

use crate::spec::{Effective, Origin};
use crate::text;
use crate::value::Value;
use crate::variables::{self, Variable};
use crate::version::Version;
use crate::window::Window;

use super::draft::Draft;

pub(super) fn effective(draft: &Draft) -> BTreeMap<String, Effective> {
    variables::all().map(|variable| (variable.name.to_owned(), of(draft, variable))).collect()
}

fn of(draft: &Draft, variable: &Variable) -> Effective {
    let canonical = variable.canonical_name();
    let settled = &draft.settled[canonical];
    let value = match variable.canonical {
        None => settled.value.clone(),
        Some(_) => spelled(variable.name, &settled.value),
    };
    let value =
        if draft.hidden.contains(canonical) { Effective::HIDDEN.to_owned() } else { text::hcl(&without_nulls(value)) };
    Effective { value, origin: origin(draft, variable, &settled.origin) }
}

/// Other names follow the preferred one, unless they are what was written.
fn origin(draft: &Draft, variable: &Variable, settled: &Origin) -> Origin {
    match variable.canonical {
        None => settled.clone(),
        Some(_) if draft.written.get(variable.canonical_name()).is_some_and(|w| w.name == variable.name) => {
            Origin::Written
        }
        Some(canonical) => Origin::Follows(canonical),
    }
}

/// A setting's value in the spelling of one of its other names.
fn spelled(alias: &str, value: &Value) -> Value {
    let version = |value: &Value| value.as_text().and_then(Version::parse);
    match alias {
        "database_version" => version(value).map(|version| format!("POSTGRES_{}", version.major)).into(),
        "server_version" => version(value).map(|version| version.major.to_string()).into(),
        "storage_mb" => value.as_int().map(|gib| gib * 1024).into(),
        "backup_time" => {
            let window = value.as_text().and_then(Window::parse_daily);
            window.map(|window| format!("{:02}:{:02}", window.start_min / 60, window.start_min % 60)).into()
        }
        _ => value.clone(),
    }
}

/// Attributes that are null say nothing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::List(list) => Value::List(list.into_iter().map(without_nulls).collect()),
        Value::Map(map) => {
            let some = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Map(some.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}
