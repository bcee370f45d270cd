//! Metric alerts and action groups.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::schema::{self, When};
use super::{Azure, Call, GROUP, Refusal, Said, Told};

/// What can be watched of a server here.
const METRICS: [&str; 7] = [
    "cpu_percent",
    "active_connections",
    "storage_percent",
    "memory_percent",
    "physical_replication_delay_in_seconds",
    "is_db_alive",
    "disk_queue_depth",
];
const WINDOWS: [&str; 8] = ["PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"];
const FREQUENCIES: [&str; 5] = ["PT1M", "PT5M", "PT15M", "PT30M", "PT1H"];

impl Azure {
    fn watched(&mut self, kind: &str) -> &mut BTreeMap<String, Json> {
        if kind == "metricAlerts" { &mut self.alerts } else { &mut self.groups }
    }

    pub(super) fn list_watched(&mut self, kind: &str) -> Said {
        let all: Vec<Json> = self.watched(kind).values().cloned().collect();
        Ok(Told::new(200, json!({ "value": all })))
    }

    pub(super) fn one_watched(&mut self, kind: &str, name: &str, method: &str, call: &Call<'_>) -> Said {
        let absent = || Refusal::absent(format!("There is no {kind} '{name}'."));
        match method {
            "GET" => self.watched(kind).get(name).cloned().map(|one| Told::new(200, one)).ok_or_else(absent),
            "DELETE" => Ok(Told::new(if self.watched(kind).remove(name).is_some() { 200 } else { 204 }, Json::Null)),
            _ => {
                if kind == "metricAlerts" {
                    self.alert(call.body)?;
                } else {
                    group(call.body)?;
                }
                let mut one = call.body.clone();
                let id = format!("/subscriptions/s/resourceGroups/{GROUP}/providers/Microsoft.Insights/{kind}/{name}");
                (one["id"], one["name"]) = (id.into(), name.into());
                let is_new = self.watched(kind).insert(name.to_owned(), one.clone()).is_none();
                Ok(Told::new(if is_new { 201 } else { 200 }, one))
            }
        }
    }

    fn alert(&self, body: &Json) -> Result<(), Refusal> {
        schema::check("MetricAlert", body, When::Create)?;
        let refused = |message: &str| Err(Refusal::new(400, "BadRequest", message));
        let of = &body["properties"];
        let word = |name: &str| of[name].as_str().unwrap_or_default();
        let position = |name: &str| WINDOWS.iter().position(|known| *known == word(name));
        if !FREQUENCIES.contains(&word("evaluationFrequency"))
            || position("windowSize") < position("evaluationFrequency")
        {
            return refused("The window or the frequency is none of the supported ones.");
        }
        let scopes = of["scopes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_server = |scope: &Json| self.servers.values().any(|one| one.json["id"] == *scope);
        if scopes.len() != 1 || !scopes.iter().all(is_server) {
            return refused("The scope is no server.");
        }
        let criteria = of["criteria"]["allOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_known = |one: &Json| one["metricName"].as_str().is_some_and(|name| METRICS.contains(&name));
        if criteria.is_empty() || !criteria.iter().all(is_known) || body["location"] != "global" {
            return refused("The criteria name no metric of a server.");
        }
        let of_ours = |id: &str| !id.contains(&format!("/resourceGroups/{GROUP}/"));
        let is_there = |id: &str| of_ours(id) || self.groups.values().any(|one| one["id"] == id);
        let mut actions = of["actions"].as_array().into_iter().flatten();
        match actions.all(|action| action["actionGroupId"].as_str().is_some_and(is_there)) {
            true => Ok(()),
            false => refused("There is no such action group."),
        }
    }
}

fn group(body: &Json) -> Result<(), Refusal> {
    schema::check("ActionGroupResource", body, When::Create)?;
    let of = &body["properties"];
    let mut receivers = of["emailReceivers"].as_array().into_iter().flatten();
    let is_short = of["groupShortName"].as_str().is_some_and(|name| (1..=12).contains(&name.len()));
    let is_mail =
        |one: &Json| one["emailAddress"].as_str().is_some_and(|to| to.contains('@')) && one["name"].is_string();
    match is_short && receivers.all(is_mail) {
        true => Ok(()),
        false => Err(Refusal::new(400, "BadRequest", "The action group is invalid.")),
    }
}
