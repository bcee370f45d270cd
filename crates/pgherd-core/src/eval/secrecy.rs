//! Secrets stay secrets: what is made of one becomes one.

use crate::secret::Secret;
use crate::value::Value;

use super::coerce;

/// Whether there is a secret anywhere inside.
pub(crate) fn has_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(list) => list.iter().any(has_secret),
        Value::Map(map) => map.values().any(has_secret),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Unknown(_)
        | Value::Output(..) => false,
    }
}

/// The same value with every text, number and truth value inside made a secret.
pub(crate) fn conceal(value: Value) -> Value {
    match value {
        Value::List(list) => Value::List(list.into_iter().map(conceal).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, conceal(value))).collect()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {
            coerce::text(&value).map_or(Value::Null, |text| Value::Secret(Secret::new(text)))
        }
        Value::Null | Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => value,
    }
}

/// The same value with every secret inside as its text, to compute with. What comes of it must be concealed again.
pub(super) fn reveal(value: Value) -> Value {
    match value {
        Value::List(list) => Value::List(list.into_iter().map(reveal).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, reveal(value))).collect()),
        Value::Secret(secret) => {
            secret.reveal().map_or_else(|| Value::Unknown("a password's verifier".to_owned()), Value::text)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Unknown(_)
        | Value::Output(..) => value,
    }
}
