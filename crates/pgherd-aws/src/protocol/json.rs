//! JSON 1.1 requests and answers.

use bytes::Bytes;
use pgherd_http::{HeaderMap, HeaderValue};
use serde_json::Value;

/// Headers and body of a request; `target` is what stands before the action, as `secretsmanager`.
pub fn request(target: &str, action: &str, body: &Value) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
    let target = HeaderValue::from_str(&format!("{target}.{action}")).expect("actions are ASCII words in our own code");
    headers.insert("x-amz-target", target);
    (headers, Bytes::from(body.to_string()))
}

/// An answer; one without a body is an empty object.
pub fn answer(body: &[u8]) -> Result<Value, serde_json::Error> {
    match body {
        [] => Ok(Value::Object(serde_json::Map::new())),
        body => serde_json::from_slice(body),
    }
}

/// Texts in `body` that must not come back in an error: those of members that are called so, and what stands in them when they
/// are JSON themselves, as the text of a secret is.
pub(crate) fn secrets(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(body, false, &mut found);
    found
}

fn collect(value: &Value, is_secret: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, is_secret || pgherd_http::redact::is_secret(name), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_secret, found)),
        Value::String(text) if is_secret => {
            found.push(text.clone());
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str(text) {
                collect(&inner, false, found);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
