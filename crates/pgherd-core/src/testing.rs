//! How tests of this crate write values and blocks.

use crate::inputs::Inputs;
use crate::value::Value;

/// A value from JSON; a string that starts with `?` is a reference nobody can follow.
pub(crate) fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(bool),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().expect("finite")), Value::Int)
        }
        Json::String(text) => match text.strip_prefix('?') {
            Some(reference) => Value::Unknown(reference.to_owned()),
            None => Value::Text(text),
        },
        Json::Array(list) => Value::List(list.into_iter().map(value).collect()),
        Json::Object(map) => Value::Map(map.into_iter().map(|(key, json)| (key, value(json))).collect()),
    }
}

/// A block called `db` from a JSON object.
pub(crate) fn block(json: serde_json::Value) -> Inputs {
    let Value::Map(values) = value(json) else { panic!("a block is written as an object") };
    Inputs { block: "db".to_owned(), values }
}
