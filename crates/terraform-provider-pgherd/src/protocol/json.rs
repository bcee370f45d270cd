//! Values out of JSON: a state is kept as JSON, and handed in as such.

use serde_json::Value as Json;

use super::value::{Number, Value};

/// The value that is written so. A state knows everything, so none of it is unknown.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Number(match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Number::Int(int),
            (None, Some(float)) => Number::Float(float),
            (None, None) => Number::Digits(number.to_string()),
        }),
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => Value::object(entries.iter().map(|(name, json)| (name, value(json)))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_is_read() {
        let state =
            json!({"name": "a", "port": 5432, "share": 0.5, "on": true, "tags": {"x": "y"}, "none": null, "list": [1]});
        let expected = Value::object([
            ("name", Value::text("a")),
            ("port", Value::int(5432)),
            ("share", Value::Number(Number::Float(0.5))),
            ("on", Value::Bool(true)),
            ("tags", Value::object([("x", Value::text("y"))])),
            ("none", Value::Null),
            ("list", Value::List(vec![Value::int(1)])),
        ]);
        assert!(value(&state) == expected);
    }
}
