//! Values as the text, number or truth value an operator or function asks for, the way Terraform converts them.

use crate::value::Value;
use crate::variables::{Type, convert};

/// What the sign taken off the lowest whole number leaves: one more than the highest.
pub(crate) const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// As a string.
pub(crate) fn text(value: &Value) -> Option<String> {
    match convert(value.clone(), &Type::String) {
        Ok(Value::Text(text)) => Some(text),
        Ok(_) | Err(_) => None,
    }
}

/// As a number: [`Value::Int`] wherever it is whole.
pub(crate) fn number(value: &Value) -> Option<Value> {
    convert(value.clone(), &Type::Number).ok().filter(|value| matches!(value, Value::Int(_) | Value::Float(_)))
}

/// As a number with a fraction.
#[expect(clippy::cast_precision_loss, reason = "whole numbers beyond 2^53 are no sizes, days or ports")]
pub(crate) fn float(value: &Value) -> Option<f64> {
    match number(value)? {
        Value::Int(int) => Some(int as f64),
        Value::Float(float) => Some(float),
        _ => None,
    }
}

/// As a whole number.
pub(crate) fn int(value: &Value) -> Option<i64> {
    number(value)?.as_int()
}

/// As a truth value.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    convert(value.clone(), &Type::Bool).ok()?.as_bool()
}

/// A number made by calculation: whole where it can be.
pub(crate) fn from_float(float: f64) -> Value {
    let value = Value::Float(float);
    value.as_int().map_or(value, Value::Int)
}

/// A name or text for a message, shortened when it is longer than a line should be.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a value is, for messages; never what a secret holds.
pub(crate) fn what_it_is(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(_) | Value::Float(_) => format!("the number {value}"),
        Value::Text(text) => format!("the string \"{}\"", short(text)),
        Value::List(list) => format!("a list of {}", list.len()),
        Value::Map(_) => "a map".to_owned(),
        Value::Secret(_) => "a secret".to_owned(),
        Value::Unknown(reference) => format!("the unknown `{reference}`"),
        Value::Output(id, field) => format!("{id}.{field}"),
    }
}
