//! What the official descriptions say of requests, as far as names, types and enums go.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::Refusal;

struct Field {
    kind: &'static str,
    is_read_only: bool,
    values: Vec<&'static str>,
}

static SCHEMAS: LazyLock<HashMap<(&'static str, &'static str), Field>> = LazyLock::new(|| {
    let lines = include_str!("schemas.csv").lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(field).collect()
});

fn field(line: &'static str) -> Option<((&'static str, &'static str), Field)> {
    let mut parts = line.splitn(5, ',');
    let (schema, name, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let is_read_only = parts.next()? == "yes";
    let values = parts.next()?.split('|').filter(|value| !value.is_empty()).collect();
    Some(((schema, name), Field { kind, is_read_only, values }))
}

/// Refuses a body that is none of a schema.
pub(super) fn check(schema: &str, body: &Json) -> Result<(), Refusal> {
    let entries = body.as_object().ok_or_else(|| Refusal::invalid("Invalid JSON payload received."))?;
    for (name, value) in entries {
        let Some(field) = SCHEMAS.get(&(schema, name.as_str())) else {
            return Err(Refusal::invalid(format!(
                "Invalid JSON payload received. Unknown name \"{name}\" at '{schema}'"
            )));
        };
        if field.is_read_only {
            return Err(Refusal::invalid(format!("{schema}.{name} is output only")));
        }
        typed(field.kind, field, value, &format!("{schema}.{name}"))?;
    }
    Ok(())
}

fn typed(kind: &str, field: &Field, value: &Json, at: &str) -> Result<(), Refusal> {
    let wrong = || Refusal::invalid(format!("Invalid value at '{at}' ({kind}), {value}"));
    let is = |right: bool| if right { Ok(()) } else { Err(wrong()) };
    // In a change it takes something away.
    if value.is_null() {
        return Ok(());
    }
    let inner = kind.get(1..kind.len().saturating_sub(1)).unwrap_or_default();
    match kind.as_bytes().first() {
        Some(b'@') => check(&kind[1..], value),
        Some(b'[') => value.as_array().ok_or_else(wrong)?.iter().try_for_each(|item| typed(inner, field, item, at)),
        Some(b'{') => value.as_object().ok_or_else(wrong)?.values().try_for_each(|item| typed(inner, field, item, at)),
        _ => match kind {
            "string" => {
                let text = value.as_str().ok_or_else(wrong)?;
                is(field.values.is_empty() || field.values.contains(&text))
            }
            "int64" => is(value.as_str().is_some_and(|text| text.parse::<i64>().is_ok()) || value.is_i64()),
            "integer" => is(value.is_i64()),
            "number" => is(value.is_number()),
            "boolean" => is(value.is_boolean()),
            _ => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(body: &Json) {
        assert!(check("DatabaseInstance", body).is_err(), "{body}");
    }

    #[test]
    fn what_is_not_described_is_refused() {
        let right =
            json!({ "name": "x", "settings": { "tier": "t", "dataDiskSizeGb": "20", "userLabels": { "a": "b" } } });
        assert_eq!(check("DatabaseInstance", &right), Ok(()));
        refused(&json!({ "naem": "x" }));
        refused(&json!({ "settings": { "dataDiskSizeGb": true } }));
        refused(&json!({ "settings": { "edition": "CHEAP" } }));
        refused(&json!({ "createTime": "2026-01-01T00:00:00Z" }));
        refused(&json!({ "settings": { "userLabels": { "a": 1 } } }));
    }
}
