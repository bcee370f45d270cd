//! Terraform's own conversions: what is written is turned into the type of its variable, or refused at the exact place.

use crate::value::{Props, Value};

use super::near::closest;
use super::types::{Attribute, Type};

/// Why a value does not fit its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeError {
    /// Where, below the variable: empty for the value itself, `[2].value`, `.pool_mode`.
    pub path: String,
    /// What is true.
    pub message: String,
}

impl TypeError {
    /// A fault of the value itself.
    pub(crate) fn new(message: String) -> Self {
        Self { path: String::new(), message }
    }

    /// The same fault, one step further down.
    fn below(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

/// Turns a value into a type as Terraform would: `"20"` is a number where one is wanted, `20` a string.
///
/// `null`, references that could not be followed and secrets pass as they are. Objects come back complete, with the
/// defaults of what was not written. Everything that does not fit is told, not only the first.
pub fn convert(value: Value, ty: &Type) -> Result<Value, Vec<TypeError>> {
    match (ty, value) {
        (_, value @ (Value::Null | Value::Unknown(_) | Value::Secret(_) | Value::Output(..))) => Ok(value),
        (Type::String, value) => string(value).map_err(alone),
        (Type::Number, value) => number(value).map_err(alone),
        (Type::Bool, value) => bool(value).map_err(alone),
        (Type::List(item), Value::List(list)) => items(list, item),
        (Type::Map(item), Value::Map(map)) => entries(map, item),
        (Type::Object(attributes), Value::Map(map)) => object(map, attributes),
        (Type::List(_) | Type::Map(_) | Type::Object(_), value) => Err(alone(mismatch(ty, &value))),
    }
}

fn alone(error: TypeError) -> Vec<TypeError> {
    vec![error]
}

fn string(value: Value) -> Result<Value, TypeError> {
    match value {
        Value::Text(_) => Ok(value),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(Value::Text(value.to_string())),
        value => Err(mismatch(&Type::String, &value)),
    }
}

fn number(value: Value) -> Result<Value, TypeError> {
    match value {
        Value::Int(_) | Value::Float(_) => Ok(value.as_int().map_or(value, Value::Int)),
        Value::Text(text) => parse_number(&text)
            .ok_or_else(|| TypeError::new(format!("a number is wanted here, and \"{text}\" is not one"))),
        value => Err(mismatch(&Type::Number, &value)),
    }
}

/// Digits as HCL reads them: no white space, no `inf`, no `NaN`, which Rust's own parser would take.
fn parse_number(text: &str) -> Option<Value> {
    if let Ok(int) = text.parse() {
        return (!text.starts_with('+')).then_some(Value::Int(int));
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let float: f64 = text.parse().ok().filter(|float: &f64| plain && float.is_finite())?;
    let value = Value::Float(float);
    Some(value.as_int().map_or(value, Value::Int))
}

fn bool(value: Value) -> Result<Value, TypeError> {
    match value {
        Value::Bool(_) => Ok(value),
        Value::Text(text) => match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(TypeError::new(format!("true or false is wanted here, not \"{text}\""))),
        },
        value => Err(mismatch(&Type::Bool, &value)),
    }
}

fn items(list: Vec<Value>, ty: &Type) -> Result<Value, Vec<TypeError>> {
    let mut errors = Vec::new();
    let mut items = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let item = present(value, "an element of a list").and_then(|value| convert(value, ty));
        items.extend(keep(item, || format!("[{index}]"), &mut errors));
    }
    if errors.is_empty() { Ok(Value::List(items)) } else { Err(errors) }
}

fn entries(map: Props, ty: &Type) -> Result<Value, Vec<TypeError>> {
    let mut errors = Vec::new();
    let mut entries = Props::new();
    for (key, value) in map {
        let entry = present(value, "a value of a map").and_then(|value| convert(value, ty));
        if let Some(value) = keep(entry, || format!(".{key}"), &mut errors) {
            entries.insert(key, value);
        }
    }
    if errors.is_empty() { Ok(Value::Map(entries)) } else { Err(errors) }
}

fn object(mut map: Props, attributes: &[Attribute]) -> Result<Value, Vec<TypeError>> {
    let (mut errors, meant) = strangers(&map, attributes);
    let mut complete = Props::new();
    for attribute in attributes {
        let name = attribute.name;
        let written = map.remove(name).filter(|value| !value.is_null());
        let value = match (written, attribute.default) {
            (Some(value), _) => keep(convert(value, &attribute.ty), || format!(".{name}"), &mut errors),
            (None, Some(default)) => Some(default.value()),
            // Whoever misspelled it has been told how to write it.
            (None, None) if meant.contains(&name) => None,
            (None, None) => {
                errors.push(TypeError::new(format!("the attribute `{name}` is missing")));
                None
            }
        };
        complete.extend(value.map(|value| (name.to_owned(), value)));
    }
    if errors.is_empty() { Ok(Value::Map(complete)) } else { Err(errors) }
}

/// An error for each attribute there is not, and the names that were probably meant.
fn strangers(map: &Props, attributes: &[Attribute]) -> (Vec<TypeError>, Vec<&'static str>) {
    let names = || attributes.iter().map(|attribute| attribute.name);
    let strange = map.keys().filter(|key| names().all(|name| name != *key));
    let told = strange.map(|stranger| {
        let near = closest(stranger, names());
        (TypeError::new(unexpected(stranger, near, names())).below(&format!(".{stranger}")), near)
    });
    let (errors, near): (Vec<_>, Vec<_>) = told.unzip();
    (errors, near.into_iter().flatten().collect())
}

/// The part of a value that fits; what does not is put to the errors, with the step that leads to it.
pub(crate) fn keep(
    converted: Result<Value, Vec<TypeError>>,
    step: impl Fn() -> String,
    errors: &mut Vec<TypeError>,
) -> Option<Value> {
    match converted {
        Ok(value) => Some(value),
        Err(found) => {
            errors.extend(found.into_iter().map(|error| error.below(&step())));
            None
        }
    }
}

fn present(value: Value, what: &str) -> Result<Value, Vec<TypeError>> {
    if value.is_null() { Err(alone(TypeError::new(format!("{what} cannot be null")))) } else { Ok(value) }
}

fn unexpected<'a>(stranger: &str, near: Option<&str>, names: impl Iterator<Item = &'a str>) -> String {
    match near {
        Some(name) => format!("there is no attribute `{stranger}` here; did you mean `{name}`?"),
        None => {
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            format!("there is no attribute `{stranger}` here, only {}", names.join(", "))
        }
    }
}

fn mismatch(wanted: &Type, value: &Value) -> TypeError {
    TypeError::new(format!("{} is wanted here, not {}", in_words(wanted), what_it_is(value)))
}

fn in_words(ty: &Type) -> String {
    match ty {
        Type::String => "a string".to_owned(),
        Type::Number => "a number".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::List(item) => format!("a list of {}", plural(item)),
        Type::Map(item) => format!("a map of {}", plural(item)),
        Type::Object(attributes) => {
            let names: Vec<_> = attributes.iter().map(|attribute| attribute.name).collect();
            format!("an object with {}", names.join(", "))
        }
    }
}

fn plural(ty: &Type) -> &'static str {
    match ty {
        Type::String => "strings",
        Type::Number => "numbers",
        Type::Bool => "true or false",
        Type::List(_) => "lists",
        Type::Map(_) => "maps",
        Type::Object(_) => "objects",
    }
}

fn what_it_is(value: &Value) -> String {
    match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Int(_) | Value::Float(_) => format!("the number {value}"),
        Value::Text(text) => format!("the string \"{text}\""),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Secret(_) => "a secret".to_owned(),
        Value::Unknown(reference) => format!("`{reference}`"),
        Value::Output(id, field) => format!("{id}.{field}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::testing::value;
    use crate::variables::variable;
    use serde_json::json;

    /// `written` and `expected` in JSON; a refusal is `path: message`.
    #[track_caller]
    fn check(name: &str, written: serde_json::Value, expected: &str) {
        let ty = variable(name).expect("in the table").ty;
        let shown = match convert(value(written), &ty) {
            Ok(value) => format!("{value:?}"),
            Err(errors) => {
                let told = errors.iter().map(|TypeError { path, message }| format!("{name}{path}: {message}"));
                told.collect::<Vec<_>>().join("\n")
            }
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn numbers_and_text_become_each_other() {
        check("allocated_storage", json!("20"), "Int(20)");
        check("allocated_storage", json!("1e2"), "Int(100)");
        check("allocated_storage", json!(20.0), "Int(20)");
        check("allocated_storage", json!("20.5"), "Float(20.5)");
        check("engine_version", json!(16), "Text(\"16\")");
        check("engine_version", json!(16.4), "Text(\"16.4\")");
        check("multi_az", json!("true"), "Bool(true)");
        check("environment", json!(true), "Text(\"true\")");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let text = |text: &str| format!("allocated_storage: a number is wanted here, and \"{text}\" is not one");
        for no_number in ["", "20 GB", "inf", "NaN", "+5", "0x10", " 20", "1e999"] {
            check("allocated_storage", json!(no_number), &text(no_number));
        }
        check("allocated_storage", json!(true), "allocated_storage: a number is wanted here, not true");
        check("multi_az", json!("yes"), "multi_az: true or false is wanted here, not \"yes\"");
        check("multi_az", json!(1), "multi_az: true or false is wanted here, not the number 1");
        check("name", json!(["a"]), "name: a string is wanted here, not a list");
    }

    #[test]
    fn references_and_secrets_pass() {
        check("allocated_storage", json!("?var.size"), "Unknown(\"var.size\")");
        check(
            "allowed_cidr_blocks",
            json!(["?module.network.vpc_cidr", "10.0.0.0/8"]),
            "List([Unknown(\"module.network.vpc_cidr\"), Text(\"10.0.0.0/8\")])",
        );
        let secret = convert(Value::Secret(Secret::new("s")), &Type::String);
        assert_eq!(secret, Ok(Value::Secret(Secret::new("s"))));
        check("allocated_storage", json!(null), "Null");
    }

    #[test]
    fn a_single_address_is_not_a_list() {
        let expected = "allowed_cidr_blocks: a list of strings is wanted here, not the string \"10.0.0.0/8\"";
        check("allowed_cidr_blocks", json!("10.0.0.0/8"), expected);
        check("allowed_cidr_blocks", json!([null]), "allowed_cidr_blocks[0]: an element of a list cannot be null");
        check("tags", json!({"Owner": ["a"]}), "tags.Owner: a string is wanted here, not a list");
        check("tags", json!({"Level": 3}), r#"Map({"Level": Text("3")})"#);
    }

    #[test]
    fn objects_come_back_complete() {
        check(
            "proxy_config",
            json!({"default_pool_size": "5"}),
            r#"Map({"default_pool_size": Int(5), "max_client_conn": Int(100), "pool_mode": Text("transaction")})"#,
        );
        check(
            "alarms",
            json!({}),
            r#"Map({"connections": Null, "cpu_percent": Int(80), "free_storage_percent": Int(10), "read_latency_seconds": Float(0.2)})"#,
        );
        check(
            "parameters",
            json!([{"name": "work_mem", "value": 4}]),
            r#"List([Map({"apply_method": Null, "name": Text("work_mem"), "value": Text("4")})])"#,
        );
    }

    #[test]
    fn an_object_names_what_is_missing_or_too_much() {
        check("parameters", json!([{"name": "work_mem"}]), "parameters[0]: the attribute `value` is missing");
        check(
            "proxy_config",
            json!({"poolmode": "session"}),
            "proxy_config.poolmode: there is no attribute `poolmode` here; did you mean `pool_mode`?",
        );
        check(
            "proxy_config",
            json!({"x": 1}),
            "proxy_config.x: there is no attribute `x` here, only `pool_mode`, `default_pool_size`, `max_client_conn`",
        );
        check(
            "proxy_config",
            json!({"default_pool_size": "many"}),
            "proxy_config.default_pool_size: a number is wanted here, and \"many\" is not one",
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        check(
            "parameters",
            json!([{"nam": "work_mem"}, null, {"name": ["a"], "value": {}, "x": 1}, "work_mem=4MB"]),
            "parameters[0].nam: there is no attribute `nam` here; did you mean `name`?
parameters[0]: the attribute `value` is missing
parameters[1]: an element of a list cannot be null
parameters[2].x: there is no attribute `x` here, only `name`, `value`, `apply_method`
parameters[2].name: a string is wanted here, not a list
parameters[2].value: a string is wanted here, not a map
parameters[3]: an object with name, value, apply_method is wanted here, not the string \"work_mem=4MB\"",
        );
        check(
            "tags",
            json!({"A": null, "B": [], "C": "fine", "D": {}}),
            "tags.A: a value of a map cannot be null
tags.B: a string is wanted here, not a list
tags.D: a string is wanted here, not a map",
        );
    }
}
