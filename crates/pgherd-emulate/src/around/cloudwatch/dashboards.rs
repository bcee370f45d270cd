//! Dashboards, which belong to the account: every region shows the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::missing;
use crate::around::page;
use crate::rds::state::ACCOUNT;
use crate::wire::{Fields, Refusal};

/// A dashboard.
#[derive(Debug, Clone)]
pub struct Dashboard {
    body: String,
    changed: Timestamp,
}

/// The most columns a dashboard has.
const COLUMNS: i64 = 24;

/// `PutDashboard`: makes it or sets it anew.
pub fn put(dashboards: &mut BTreeMap<String, Dashboard>, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let name = sent.required("DashboardName", "MissingParameter")?.to_owned();
    let fits = name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !fits {
        return Err(Refusal::value(
            "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).",
        ));
    }
    let body = sent.required("DashboardBody", "MissingParameter")?.to_owned();
    let faults = faults(&body);
    if !faults.is_empty() {
        let message =
            format!("The dashboard body is invalid, there are {} validation errors: {faults:?}", faults.len());
        return Err(Refusal::of("InvalidParameterInput", message));
    }
    dashboards.insert(name, Dashboard { body, changed: now });
    Ok(json!({ "DashboardValidationMessages": [] }))
}

/// `GetDashboard`.
pub fn get(dashboards: &BTreeMap<String, Dashboard>, sent: &Fields) -> Result<Value, Refusal> {
    let name = sent.required("DashboardName", "MissingParameter")?;
    let found = dashboards.get(name).ok_or_else(|| missing(format!("Dashboard {name} does not exist")))?;
    Ok(json!({ "DashboardArn": arn(name), "DashboardBody": found.body, "DashboardName": name }))
}

/// `ListDashboards`.
pub fn list(dashboards: &BTreeMap<String, Dashboard>, sent: &Fields) -> Result<Value, Refusal> {
    let prefix = sent.text("DashboardNamePrefix")?.unwrap_or_default();
    let found = dashboards.iter().filter(|(name, _)| name.starts_with(prefix));
    let (page, next) = page(found.collect(), 1000, sent.text("NextToken")?, "InvalidParameterValue")?;
    let shown = page.into_iter().map(|(name, dashboard)| {
        json!({
            "DashboardName": name,
            "DashboardArn": arn(name),
            "LastModified": dashboard.changed.as_duration().as_secs_f64(),
            "Size": dashboard.body.len(),
        })
    });
    let mut answer = json!({ "DashboardEntries": shown.collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// `DeleteDashboards`: all of them, or none when one does not exist.
pub fn delete(dashboards: &mut BTreeMap<String, Dashboard>, sent: &Fields) -> Result<Value, Refusal> {
    let names = sent.texts("DashboardNames")?;
    let names = names.ok_or_else(|| Refusal::of("MissingParameter", "The parameter DashboardNames is required."))?;
    if let Some(absent) = names.iter().find(|name| !dashboards.contains_key(*name)) {
        return Err(missing(format!("Dashboard {absent} does not exist")));
    }
    names.iter().for_each(|name| {
        dashboards.remove(name);
    });
    Ok(json!({}))
}

fn arn(name: &str) -> String {
    format!("arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}")
}

/// What is wrong with a body: widgets have a type and properties, and lie within 24 columns.
fn faults(body: &str) -> Vec<String> {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return vec!["The field DashboardBody must be a valid JSON object".to_owned()];
    };
    let Some(widgets) = body["widgets"].as_array() else {
        return vec!["/widgets: Should be a list".to_owned()];
    };
    widgets.iter().enumerate().flat_map(|(n, widget)| faults_of(n, widget)).collect()
}

fn faults_of(n: usize, widget: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let kinds = ["alarm", "custom", "explorer", "log", "metric", "text"];
    if !widget["type"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        faults.push(format!("/widgets/{n}/type: Should be one of {kinds:?}"));
    }
    if !widget["properties"].is_object() {
        faults.push(format!("/widgets/{n}: Should have required property 'properties'"));
    }
    let number = |name: &str, default: i64| if widget[name].is_null() { Some(default) } else { widget[name].as_i64() };
    match (number("x", 0), number("width", 6)) {
        (Some(x), Some(width)) if x >= 0 && (1..=COLUMNS).contains(&width) && x < COLUMNS => {}
        _ => faults.push(format!("/widgets/{n}: x must be 0 to 23 and width 1 to {COLUMNS}")),
    }
    faults
}
