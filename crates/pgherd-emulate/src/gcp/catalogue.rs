//! What can be made: tiers, and flags of PostgreSQL.

use pgherd_core::catalogue::parameters::{self, Context, Parameter, Type};
use pgherd_core::catalogue::sizes;
use pgherd_core::cloud::Cloud;
use serde_json::{Value as Json, json};

use super::Refusal;

/// Flags of Cloud SQL's own, and whether they restart.
const OWN: [(&str, bool); 3] =
    [("cloudsql.iam_authentication", true), ("cloudsql.enable_pgaudit", true), ("cloudsql.logical_decoding", true)];

/// What is no flag there.
const NONE: [&str; 4] = ["ssl", "shared_preload_libraries", "archive_command", "listen_addresses"];

/// Regions, a few of many.
pub(super) const REGIONS: [&str; 4] = ["us-central1", "us-east4", "europe-west1", "europe-west3"];

fn flags_of(major: u32) -> impl Iterator<Item = &'static Parameter> {
    let known = |one: &&Parameter| one.context != Context::Internal && !NONE.contains(&one.name.as_str());
    parameters::all(major).filter(known)
}

pub(super) fn flags(version: &str) -> Json {
    let major = super::settings::major(version);
    let flag = |one: &Parameter| {
        let kind = match one.takes {
            Type::Bool => "BOOLEAN",
            Type::Integer => "INTEGER",
            Type::Real => "FLOAT",
            Type::Enum | Type::String => "STRING",
        };
        let restarts = one.context == Context::Postmaster;
        let mut flag = json!({ "kind": "sql#flag", "name": one.name, "type": kind, "appliesTo": [version], "requiresRestart": restarts });
        if let (Type::Integer, Some(least), Some(most)) = (one.takes, one.min, one.max) {
            flag["minValue"] = format!("{least}").into();
            flag["maxValue"] = format!("{most}").into();
        }
        if one.takes == Type::Enum {
            flag["allowedStringValues"] = one.values.split('|').collect::<Vec<_>>().into();
        }
        flag
    };
    let own = OWN.iter().map(|(name, restarts)| {
        json!({ "kind": "sql#flag", "name": name, "type": "BOOLEAN", "appliesTo": [version], "requiresRestart": restarts })
    });
    json!({ "kind": "sql#flagsList", "items": flags_of(major).map(flag).chain(own).collect::<Vec<_>>() })
}

/// Refuses a flag that is none, or does not take its value.
pub(super) fn takes(flag: &Json, major: u32) -> Result<(), Refusal> {
    let (name, value) = (flag["name"].as_str().unwrap_or_default(), flag["value"].as_str().unwrap_or_default());
    if OWN.iter().any(|(own, _)| *own == name) && ["on", "off"].contains(&value) {
        return Ok(());
    }
    let known = flags_of(major).find(|one| one.name == name);
    let known = known.ok_or_else(|| Refusal::new(400, "invalidFlagName", format!("Invalid flag name ({name}).")))?;
    let is_right = match known.takes {
        Type::Bool => ["on", "off"].contains(&value),
        // No unit is taken.
        Type::Integer => value.parse::<i64>().is_ok() && parameters::parse(known, value).is_ok(),
        Type::Real => value.parse::<f64>().is_ok(),
        Type::Enum | Type::String => parameters::parse(known, value).is_ok(),
    };
    if is_right {
        Ok(())
    } else {
        Err(Refusal::new(400, "invalidFlagValue", format!("Invalid flag value ({name}: {value}).")))
    }
}

pub(super) fn tiers() -> Json {
    let tier = |size: &sizes::Size| {
        json!({
            "kind": "sql#tier",
            "tier": size.name,
            "RAM": (size.memory_mib * 1024 * 1024).to_string(),
            "DiskQuota": "70368744177664",
            "region": REGIONS,
        })
    };
    json!({ "kind": "sql#tiersList", "items": sizes::of(Cloud::Gcp).map(tier).collect::<Vec<_>>() })
}
