//! PostgreSQL settings as DigitalOcean takes them: numbers in units of its own, and words where PostgreSQL has switches. Pure.
//!
//! Source: digitalocean/openapi 7c1300c, models/advanced_config/postgres_advanced_config.yml; what it takes at all is core's
//! `catalogue::settable`.

use pgherd_core::catalogue::parameters::{self, Normal};
use pgherd_core::catalogue::settable;
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

/// The setting that stands for `shared_buffers`: a share of the memory, percent.
pub const SHARED_BUFFERS: &str = "shared_buffers_percentage";

/// Of `shared_buffers`, in its base unit.
const PAGES_PER_MIB: f64 = 128.0;

/// The settings a spec wants, by DigitalOcean's names. What it does not set has been said by the checks, and is left out.
pub fn of(spec: &Spec) -> Props {
    spec.parameters.iter().filter_map(|(name, written)| setting(spec, name, written)).collect()
}

fn setting(spec: &Spec, name: &str, written: &str) -> Option<(String, Value)> {
    let major = spec.engine_version.map(|version| version.major).or(spec.newest_major);
    let known = major.and_then(|major| parameters::find(name, major)).or_else(|| parameters::newest(name))?;
    let value = parameters::parse(known, written).ok()?;
    if known.name == "shared_buffers" {
        return Some((SHARED_BUFFERS.to_owned(), percentage(&value, spec.size.memory_mib)?));
    }
    settable::on_digitalocean(name)?;
    // The API writes this one name in small letters.
    let key = if known.name == "TimeZone" { "timezone".to_owned() } else { known.name.clone() };
    let value = match (known.name.as_str(), value) {
        ("work_mem", Normal::Int(kib)) => Value::Int((kib / 1024).max(1)),
        ("max_stack_depth", Normal::Int(kib)) => Value::Int(kib * 1024),
        ("bgwriter_flush_after", Normal::Int(pages)) => Value::Int(pages * 8),
        ("log_error_verbosity", Normal::Enum(word)) => Value::Text(word.to_uppercase()),
        ("jit", Normal::Bool(on)) => Value::Bool(on),
        (_, Normal::Bool(on)) => Value::text(if on { "on" } else { "off" }),
        // Its API has no fraction of a millisecond where PostgreSQL has one.
        ("autovacuum_vacuum_cost_delay", Normal::Real(ms)) => whole(ms.ceil()),
        (_, Normal::Int(int)) => Value::Int(int),
        (_, Normal::Real(real)) => Value::Float(real),
        (_, Normal::Enum(word)) => Value::Text(word),
        (_, Normal::Text(_) | Normal::List(_)) => Value::text(written),
    };
    Some((key, value))
}

/// `256MB` of 1 GiB is 25. Never less than was asked for.
fn percentage(value: &Normal, memory_mib: u64) -> Option<Value> {
    let Normal::Int(pages) = value else { return None };
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 pages")]
    let percent = (*pages as f64 / PAGES_PER_MIB * 100.0 / memory_mib as f64).ceil();
    Some(whole(percent))
}

fn whole(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "percents and milliseconds")]
    Value::Int(number as i64)
}

/// A setting as JSON.
pub(crate) fn json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Bool(on) => (*on).into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) => (*float).into(),
        Value::Text(text) => text.as_str().into(),
        _ => return None,
    })
}

/// A setting as it is told. What is no plain value is none of ours.
pub(crate) fn value(told: &serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match told {
        Json::Bool(on) => Value::Bool(*on),
        Json::Number(number) => number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float))?,
        Json::String(text) => Value::text(text),
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    })
}
