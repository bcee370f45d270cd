//! JSON and base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;

use super::arguments::{text, value};
use super::{Fault, Function, exactly};
use crate::eval::coerce::from_float;
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure(
        "base64decode",
        "base64decode(string)",
        exactly(1),
        "The text a base64 text stands for.",
        base64decode,
    ),
    Function::pure("base64encode", "base64encode(string)", exactly(1), "A text in base64.", |a, _| {
        Ok(BASE64.encode(text(a, 0)?).into())
    }),
    Function::pure("jsondecode", "jsondecode(string)", exactly(1), "The value a JSON text stands for.", |a, _| {
        from_json(&text(a, 0)?)
    }),
    Function::pure("jsonencode", "jsonencode(value)", exactly(1), "A value as JSON text.", |a, _| {
        Ok(to_json(value(a, 0)).to_string().into())
    }),
];

fn base64decode(a: &[Value], _: usize) -> Result<Value, Fault> {
    let bytes = BASE64
        .decode(text(a, 0)?)
        .map_err(|error| Fault::at(0, format!("this is not base64: {error}").to_lowercase()))?;
    String::from_utf8(bytes).map(Value::Text).map_err(|_| Fault::at(0, "what this base64 stands for is not UTF-8 text"))
}

fn from_json(text: &str) -> Result<Value, Fault> {
    // The parser holds nesting to 128 levels.
    let json: Json = serde_json::from_str(text).map_err(|error| Fault::at(0, format!("this is not JSON: {error}")))?;
    Ok(json_value(json))
}

/// JSON as a value.
pub(crate) fn json_value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(bool),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().map_or(Value::Null, from_float), Value::Int)
        }
        Json::String(text) => Value::Text(text),
        Json::Array(list) => Value::List(list.into_iter().map(json_value).collect()),
        Json::Object(map) => Value::Map(map.into_iter().map(|(key, value)| (key, json_value(value))).collect()),
    }
}

/// The caller has seen that nothing inside is unknown or secret.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Int(int) => Json::from(*int),
        Value::Float(float) => Json::from(*float),
        Value::Text(text) => Json::from(text.as_str()),
        Value::List(list) => Json::Array(list.iter().map(to_json).collect()),
        Value::Map(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()),
        Value::Null | Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => Json::Null,
    }
}
