//! What the official description says of requests, as far as types and ranges go.

use std::sync::LazyLock;

use pgherd_core::catalogue::sizes::{self, Size};
use pgherd_core::cloud::Cloud;
use serde_json::Value as Json;

use super::Refusal;

/// Regions that have PostgreSQL (the example of GET /v2/databases/options).
pub(super) const REGIONS: [&str; 14] =
    ["ams3", "atl1", "blr1", "fra1", "lon1", "nyc1", "nyc2", "nyc3", "ric1", "sfo2", "sfo3", "sgp1", "syd1", "tor1"];

/// Majors that are made.
pub(super) const VERSIONS: [&str; 4] = ["14", "15", "16", "17"];

/// The major that is made when none is named.
pub(super) const VERSION: &str = "17";

struct Setting {
    name: &'static str,
    kind: &'static str,
    min: Option<f64>,
    max: Option<f64>,
    values: Vec<&'static str>,
}

static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let lines = include_str!("config.csv").lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(setting).collect()
});

/// `name,type,min,max,values`, of which only the last may be quoted.
fn setting(line: &'static str) -> Option<Setting> {
    let mut fields = line.splitn(5, ',');
    let (name, kind) = (fields.next()?, fields.next()?);
    let (min, max) = (fields.next()?.parse().ok(), fields.next()?.parse().ok());
    let values = fields.next()?.trim_matches('"').split('|').filter(|value| !value.is_empty()).collect();
    Some(Setting { name, kind, min, max, values })
}

/// A text that has to be there.
pub(super) fn text<'a>(body: &'a Json, name: &str) -> Result<&'a str, Refusal> {
    match &body[name] {
        Json::String(text) if !text.is_empty() => Ok(text),
        Json::Null => Err(Refusal::invalid(format!("{name} is required"))),
        _ => Err(Refusal::invalid(format!("{name} must be a non-empty string"))),
    }
}

/// A whole number that has to be there.
pub(super) fn int(body: &Json, name: &str) -> Result<i64, Refusal> {
    body[name].as_i64().ok_or_else(|| Refusal::invalid(format!("{name} must be an integer")))
}

/// A whole number that may be there.
pub(super) fn maybe_int(body: &Json, name: &str) -> Result<Option<i64>, Refusal> {
    if body[name].is_null() { Ok(None) } else { int(body, name).map(Some) }
}

/// A list of texts that may be there.
pub(super) fn texts(body: &Json, name: &str) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::invalid(format!("{name} must be an array of strings"));
    match &body[name] {
        Json::Null => Ok(Vec::new()),
        Json::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

/// Refuses what the description does not know.
pub(super) fn only(body: &Json, known: &[&str]) -> Result<(), Refusal> {
    let entries = body.as_object().ok_or_else(|| Refusal::new(400, "the body must be an object"))?;
    match entries.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::invalid(format!("{name} is not a known field"))),
        None => Ok(()),
    }
}

/// A size with so many nodes.
pub(super) fn size(slug: &str, nodes: i64) -> Result<Size, Refusal> {
    let found = sizes::find(slug).filter(|size| size.cloud == Cloud::DigitalOcean && size.name == slug);
    let size = found.ok_or_else(|| Refusal::invalid(format!("invalid size: {slug}")))?;
    match nodes {
        1 => Ok(size),
        2 | 3 if size.standby => Ok(size),
        2 | 3 => Err(Refusal::invalid(format!("size {slug} is not available with {nodes} nodes"))),
        _ => Err(Refusal::invalid("num_nodes must be 1, 2 or 3")),
    }
}

/// What a size brings along, MiB. The first four are known; the others grow with the memory.
pub(super) fn base_mib(size: &Size) -> i64 {
    let gib = match size.name.as_str() {
        "db-s-1vcpu-1gb" => 10,
        "db-s-1vcpu-2gb" => 25,
        "db-s-2vcpu-4gb" => 38,
        "db-s-4vcpu-8gb" => 115,
        _ => i64::try_from(size.memory_mib / 1024).unwrap_or(8) * 4,
    };
    gib * 1024
}

/// Storage that is asked for of a size.
pub(super) fn storage(size: &Size, asked: Option<i64>, has: i64) -> Result<i64, Refusal> {
    let base = base_mib(size);
    match asked {
        None => Ok(base.max(has)),
        Some(asked) if asked < base => {
            Err(Refusal::invalid(format!("storage_size_mib must be at least {base} for {}", size.name)))
        }
        Some(asked) if asked < has => Err(Refusal::invalid("storage_size_mib cannot be reduced")),
        Some(asked) => Ok(asked),
    }
}

pub(super) fn region(slug: &str) -> Result<(), Refusal> {
    if REGIONS.contains(&slug) { Ok(()) } else { Err(Refusal::invalid(format!("invalid region: {slug}"))) }
}

pub(super) fn tag(name: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-:".contains(c);
    match (1..=255).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("{name:?} is not a valid tag"))),
    }
}

/// The rules of a firewall.
pub(super) fn rules(list: &Json) -> Result<Vec<Json>, Refusal> {
    let Json::Array(rules) = list else { return Err(Refusal::invalid("rules must be an array")) };
    if rules.len() > 100 {
        return Err(Refusal::invalid("there are at most 100 rules"));
    }
    for rule in rules {
        only(rule, &["uuid", "cluster_uuid", "type", "value", "created_at", "description"])?;
        let value = text(rule, "value")?;
        match text(rule, "type")? {
            "ip_addr" => {
                let address = value.parse::<std::net::Ipv4Addr>().is_ok();
                let network = value.parse::<ipnet::Ipv4Net>().is_ok_and(|net| net.trunc() == net);
                if !address && !network {
                    return Err(Refusal::invalid(format!("{value} is not a valid IPv4 address or network")));
                }
            }
            "droplet" | "k8s" | "tag" | "app" => {}
            other => return Err(Refusal::invalid(format!("{other} is not a type of rule"))),
        }
    }
    Ok(rules.clone())
}

/// Settings of PostgreSQL.
pub(super) fn config(config: &Json) -> Result<(), Refusal> {
    let entries = config.as_object().ok_or_else(|| Refusal::invalid("config must be an object"))?;
    for (name, value) in entries {
        let Some(known) = SETTINGS.iter().find(|known| known.name == name) else {
            return Err(Refusal::invalid(format!("{name} is not a setting of pg")));
        };
        let number = value.as_f64();
        let is_right = match known.kind {
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => value.is_string(),
        };
        if !is_right {
            return Err(Refusal::invalid(format!("{name} must be of type {}", known.kind)));
        }
        let below = number.zip(known.min).is_some_and(|(number, min)| number < min);
        let above = number.zip(known.max).is_some_and(|(number, max)| number > max);
        if below || above {
            return Err(Refusal::invalid(format!("{name} is out of range")));
        }
        if !known.values.is_empty() && !value.as_str().is_some_and(|text| known.values.contains(&text)) {
            return Err(Refusal::invalid(format!("{name} must be one of {}", known.values.join(", "))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_settings_is_whole() {
        assert_eq!(SETTINGS.len(), 54);
        let prefix = SETTINGS.iter().find(|setting| setting.name == "log_line_prefix").expect("it is there");
        assert_eq!(prefix.values.len(), 3);
    }
}
