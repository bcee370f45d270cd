//! Alert policies, as far as databases go.

use serde_json::{Value as Json, json};

use super::{Call, Ocean, Refusal, Said, check};

const TYPES: [&str; 4] = [
    "v1/dbaas/alerts/load_15_alerts",
    "v1/dbaas/alerts/memory_utilization_alerts",
    "v1/dbaas/alerts/disk_utilization_alerts",
    "v1/dbaas/alerts/cpu_alerts",
];

pub(super) fn create(ocean: &mut Ocean, call: &Call<'_>) -> Said {
    let mut policy = checked(call)?;
    let id = ocean.id();
    policy["uuid"] = id.as_str().into();
    ocean.alerts.insert(id, policy.clone());
    Ok((200, json!({ "policy": policy })))
}

pub(super) fn update(ocean: &mut Ocean, id: &str, call: &Call<'_>) -> Said {
    let mut policy = checked(call)?;
    let there = ocean.alerts.get_mut(id).ok_or_else(Refusal::absent)?;
    policy["uuid"] = id.into();
    *there = policy.clone();
    Ok((200, json!({ "policy": policy })))
}

fn checked(call: &Call<'_>) -> Result<Json, Refusal> {
    let body = call.body;
    let all = ["type", "description", "compare", "value", "window", "entities", "tags", "alerts", "enabled"];
    check::only(body, &all)?;
    if let Some(missing) = all.iter().find(|name| body[**name].is_null()) {
        return Err(Refusal::invalid(format!("{missing} is required")));
    }
    let one_of = |name: &str, all: &[&str]| match all.contains(&check::text(body, name)?) {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("{name} is invalid"))),
    };
    one_of("type", &TYPES)?;
    one_of("compare", &["GreaterThan", "LessThan"])?;
    one_of("window", &["5m", "10m", "30m", "1h"])?;
    check::texts(body, "entities")?;
    check::texts(body, "tags")?;
    let told = &body["alerts"];
    check::only(told, &["email", "slack"])?;
    let emails = check::texts(told, "email")?;
    if emails.is_empty() && told["slack"].as_array().is_none_or(Vec::is_empty) {
        return Err(Refusal::invalid("somebody has to be told"));
    }
    if !body["value"].is_number() || !body["enabled"].is_boolean() {
        return Err(Refusal::invalid("value or enabled is invalid"));
    }
    Ok(body.clone())
}
