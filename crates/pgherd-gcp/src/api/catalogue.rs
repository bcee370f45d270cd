//! What can be made: tiers, and flags with what they take.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{At, text};
use crate::call::segment;
use crate::error::GcpError;
use crate::session::Service::Sql;

/// A flag.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    pub(crate) name: String,
    /// `INTEGER`, `BOOLEAN`, `FLOAT`, `STRING` …
    pub(crate) kind: String,
    pub(crate) least: Option<i64>,
    pub(crate) most: Option<i64>,
    pub(crate) values: Vec<String>,
    pub(crate) restarts: bool,
}

/// The flags of a major.
pub(crate) async fn flags(at: At<'_>, major: &str) -> Result<Vec<Flag>, GcpError> {
    let told = at.session.get(Sql, &format!("v1/flags?databaseVersion=POSTGRES_{}", segment(major))).await?;
    Ok(told["items"].as_array().into_iter().flatten().filter_map(flag).collect())
}

fn flag(told: &Json) -> Option<Flag> {
    let number = |name: &str| text(told, name).and_then(|number| number.parse().ok());
    let values = told["allowedStringValues"].as_array().into_iter().flatten();
    Some(Flag {
        name: text(told, "name")?,
        kind: text(told, "type").unwrap_or_default(),
        least: number("minValue"),
        most: number("maxValue"),
        values: values.filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        restarts: told["requiresRestart"].as_bool().unwrap_or_default(),
    })
}

/// The tiers of a project, each with the regions that have it.
pub(crate) async fn tiers(at: At<'_>) -> Result<Vec<(String, BTreeSet<String>)>, GcpError> {
    let told = at.session.get(Sql, &at.sql("/tiers")).await?;
    let tier = |told: &Json| {
        let regions = told["region"].as_array().into_iter().flatten();
        Some((text(told, "tier")?, regions.filter_map(|region| region.as_str().map(str::to_owned)).collect()))
    };
    Ok(told["items"].as_array().into_iter().flatten().filter_map(tier).collect())
}
