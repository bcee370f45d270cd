//! When two values are the same, by the way a field is judged.

use crate::catalogue::parameters;
use crate::resource::Equality;
use crate::value::Value;
use crate::version::Version;

/// Whether the two are the same. `parameter` is the PostgreSQL name, for [`Equality::Parameter`].
pub(super) fn same(equality: Equality, parameter: &str, wanted: &Value, found: &Value) -> bool {
    match (equality, wanted, found) {
        (Equality::Exact, ..) => exact(wanted, found),
        (Equality::Unordered, Value::List(wanted), Value::List(found)) => unordered(wanted, found),
        // No elements and no list are the same set.
        (Equality::Unordered, Value::List(list), Value::Null)
        | (Equality::Unordered, Value::Null, Value::List(list)) => list.is_empty(),
        (Equality::IgnoreCase, Value::Text(wanted), Value::Text(found)) => wanted.eq_ignore_ascii_case(found),
        // A number or truth value is the setting that its text is.
        (
            Equality::Parameter,
            Value::Text(_) | Value::Bool(_) | Value::Int(_) | Value::Float(_),
            Value::Text(_) | Value::Bool(_) | Value::Int(_) | Value::Float(_),
        ) => parameters::same(parameter, None, &wanted.to_string(), &found.to_string()),
        (Equality::Version, Value::Text(wanted), Value::Text(found)) => versions(wanted, found),
        (Equality::Json, Value::Text(wanted), Value::Text(found)) => json(wanted, found),
        (Equality::Unordered | Equality::IgnoreCase | Equality::Parameter | Equality::Version | Equality::Json, ..) => {
            exact(wanted, found)
        }
    }
}

/// The number, whole or not.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(*float),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Secret(_)
        | Value::Unknown(_)
        | Value::Output(..) => None,
    }
}

/// The same value; `20` and `20.0` are one number.
fn exact(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => number(wanted) == number(found),
        (Value::List(wanted), Value::List(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| exact(wanted, found))
        }
        (Value::Map(wanted), Value::Map(found)) => {
            wanted.len() == found.len()
                && wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| exact(wanted, found)))
        }
        _ => wanted == found,
    }
}

/// The same elements, whatever their order and however often.
fn unordered(wanted: &[Value], found: &[Value]) -> bool {
    let within = |some: &[Value], all: &[Value]| some.iter().all(|one| all.iter().any(|other| exact(one, other)));
    within(wanted, found) && within(found, wanted)
}

/// A bare major agrees with any minor of it.
fn versions(wanted: &str, found: &str) -> bool {
    match (Version::parse(wanted), Version::parse(found)) {
        (Some(wanted), Some(found)) => {
            wanted.major == found.major && (wanted.minor.is_none() || wanted.minor == found.minor)
        }
        _ => wanted == found,
    }
}

/// The same JSON; what is not JSON is compared as text.
fn json(wanted: &str, found: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    match (read(wanted), read(found)) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => wanted == found,
    }
}
