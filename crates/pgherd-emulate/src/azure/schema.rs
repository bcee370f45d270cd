//! What the official descriptions say of requests, as far as names, types, enums and when something is taken go.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::Refusal;

struct Field {
    kind: &'static str,
    when: &'static str,
    values: Vec<&'static str>,
}

static SCHEMAS: LazyLock<HashMap<(&'static str, &'static str), Field>> = LazyLock::new(|| {
    let lines = include_str!("schemas.csv").lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(field).collect()
});

fn field(line: &'static str) -> Option<((&'static str, &'static str), Field)> {
    let mut parts = line.splitn(5, ',');
    let (schema, name, kind, when) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let values = parts.next()?.split('|').filter(|value| !value.is_empty()).collect();
    Some(((schema, name), Field { kind, when, values }))
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Create,
    Update,
}

/// Refuses a body that is none of a schema.
pub(super) fn check(schema: &str, body: &Json, when: When) -> Result<(), Refusal> {
    let entries = body.as_object().ok_or_else(|| Refusal::content("The request content is no object."))?;
    for (name, value) in entries {
        let Some(field) = SCHEMAS.get(&(schema, name.as_str())) else {
            return Err(Refusal::content(format!("Could not find member '{name}' on object of type '{schema}'.")));
        };
        let is_taken = match (field.when, when) {
            ("", _) => true,
            // It is taken by a change only, and left out of account here, as Azure does.
            ("update", When::Create) => continue,
            (word, When::Create) => word.contains("create"),
            (word, When::Update) => word.contains("update"),
        };
        if !is_taken {
            return Err(Refusal::content(format!("{schema}.{name} is read-only.")));
        }
        typed(field.kind, field, value, &format!("{schema}.{name}"), when)?;
    }
    Ok(())
}

fn typed(kind: &str, field: &Field, value: &Json, at: &str, when: When) -> Result<(), Refusal> {
    let wrong = || Refusal::content(format!("Invalid value at '{at}' ({kind})."));
    let is = |right: bool| if right { Ok(()) } else { Err(wrong()) };
    let inner = kind.get(1..kind.len().saturating_sub(1)).unwrap_or_default();
    match kind.as_bytes().first() {
        Some(b'@') => check(&kind[1..], value, when),
        Some(b'[') => {
            value.as_array().ok_or_else(wrong)?.iter().try_for_each(|item| typed(inner, field, item, at, when))
        }
        Some(b'{') => {
            value.as_object().ok_or_else(wrong)?.values().try_for_each(|item| typed(inner, field, item, at, when))
        }
        _ => match kind {
            "string" => {
                let text = value.as_str().ok_or_else(wrong)?;
                is(field.values.is_empty() || field.values.contains(&text))
            }
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

    #[test]
    fn what_is_not_described_is_refused() {
        let right = json!({ "location": "eastus", "sku": { "name": "x", "tier": "Burstable" }, "tags": { "a": "b" },
            "properties": { "storage": { "storageSizeGB": 32 }, "maintenanceWindow": 7 } });
        assert_eq!(check("Server", &right, When::Create), Ok(()));
        for wrong in [
            json!({ "loaction": "x" }),
            json!({ "id": "x" }),
            json!({ "sku": { "tier": "Cheap" } }),
            json!({ "tags": { "a": 1 } }),
            json!({ "properties": { "storage": { "storageSizeGB": "32" } } }),
            json!({ "properties": { "state": "Ready" } }),
        ] {
            assert!(check("Server", &wrong, When::Create).is_err(), "{wrong}");
        }
        let window = json!({ "properties": { "maintenanceWindow": { "dayOfWeek": 0 } } });
        assert_eq!(check("ServerForPatch", &window, When::Update), Ok(()));
        let geo = json!({ "properties": { "backup": { "geoRedundantBackup": "Enabled" } } });
        assert!(check("ServerForPatch", &geo, When::Update).is_err(), "it is decided at creation");
    }
}
