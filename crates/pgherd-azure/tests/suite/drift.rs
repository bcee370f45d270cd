//! Every field, changed by somebody else.

use std::time::Instant;

use pgherd_azure::kinds::{action_group, alert, firewall, lock, replica, secret, server, settings, zone};
use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_engine::suite;
use serde_json::{Value as Json, json};

use crate::world::{Cloudy, PRIVATE, WHOLE, World, path};

#[tokio::test]
async fn drift_of_every_field_is_found_and_put_right() {
    let untouched = suite::drift_is_found::<Cloudy>(WHOLE).await;
    assert_eq!(untouched, UNTOUCHED, "there is no hand for these here");
}

#[tokio::test]
async fn drift_of_a_private_server_is_found_and_put_right() {
    let untouched = suite::drift_is_found::<Cloudy>(PRIVATE).await;
    let is_known = |one: &&String| UNTOUCHED.contains(&one.as_str()) || one.as_str() == "alert actions";
    assert!(untouched.iter().all(|one| is_known(&one)), "{untouched:?}");
}

/// What a test of its own holds, the tag without which it would be another's, and what goes with another field.
const UNTOUCHED: &[&str] = &[
    "alert server",
    "replica tags.pgherd_block",
    "replica tier",
    "secret in_force",
    "server activeDirectoryAuth",
    "server tags.pgherd_block",
    "server tier",
];

/// Changes a field as somebody else would.
pub fn tamper<const EACH: i64>(world: &World<EACH>, id: &Id, field: &str, seen: &Value) -> bool {
    match id.kind.as_str() {
        server::NAME | replica::NAME => of_server(world, &id.name, field),
        settings::NAME => of_settings(world, &id.name, field, seen),
        secret::NAME => of_secret(world, &id.name, field),
        firewall::NAME => {
            let rule = json!({ "properties": { "startIpAddress": "203.0.113.9", "endIpAddress": "203.0.113.9" } });
            world.tamper("PUT", &path(&id.name, "/firewallRules/pgherd-198-51-100-7"), &rule);
            true
        }
        zone::NAME => {
            world.emulator.with(|azure| azure.links.clear());
            true
        }
        lock::NAME => {
            world.emulator.with(|azure| {
                let one = azure.servers.get_mut(&id.name).expect("it is there");
                one.locks.get_mut("pgherd").expect("it is locked")["properties"]["level"] = json!("ReadOnly");
            });
            true
        }
        action_group::NAME => {
            world.emulator.with(|azure| {
                let of = &mut azure.groups.get_mut(&id.name).expect("it is there")["properties"];
                match field {
                    "addresses" => of["emailReceivers"] = json!([]),
                    _ => of["enabled"] = json!(false),
                }
            });
            true
        }
        // It tells nobody.
        alert::NAME if field == "actions" && seen.as_list().is_none_or(<[Value]>::is_empty) => false,
        alert::NAME => of_alert(world, &id.name, field),
        _ => false,
    }
}

fn of_alert<const EACH: i64>(world: &World<EACH>, name: &str, field: &str) -> bool {
    world.emulator.with(|azure| {
        let of = &mut azure.alerts.get_mut(name).expect("it is there")["properties"];
        let criterion = |of: &mut Json, field: &str, value: Json| of["criteria"]["allOf"][0][field] = value;
        match field {
            "threshold" => criterion(of, field, json!(11)),
            "metricName" => criterion(of, field, json!("memory_percent")),
            "operator" => criterion(of, field, json!("LessThan")),
            "timeAggregation" => criterion(of, field, json!("Maximum")),
            "windowSize" => of["windowSize"] = json!("PT1H"),
            "evaluationFrequency" => of["evaluationFrequency"] = json!("PT1M"),
            "actions" => of["actions"] = json!([]),
            "enabled" => of["enabled"] = json!(false),
            _ => return false,
        }
        true
    })
}

fn of_server<const EACH: i64>(world: &World<EACH>, name: &str, field: &str) -> bool {
    let body = match field {
        "sku" => json!({ "sku": { "name": "Standard_D8ds_v5", "tier": "GeneralPurpose" } }),
        "autoGrow" => json!({ "properties": { "storage": { "autoGrow": "Disabled" } } }),
        "autoGrowMaxThresholdMb" => json!({ "properties": { "storage": { "autoGrowMaxThresholdMb": 1_048_576 } } }),
        "publicNetworkAccess" => json!({ "properties": { "network": { "publicNetworkAccess": "Disabled" } } }),
        "highAvailability" => {
            let is_on = world
                .emulator
                .with(|azure| azure.servers[name].json["properties"]["highAvailability"]["mode"] != "Disabled");
            let mode = if is_on { "Disabled" } else { "ZoneRedundant" };
            json!({ "properties": { "highAvailability": { "mode": mode } } })
        }
        "backupRetentionDays" => json!({ "properties": { "backup": { "backupRetentionDays": 30 } } }),
        "maintenanceWindow" => {
            let window = json!({ "customWindow": "Enabled", "dayOfWeek": 3, "startHour": 9, "startMinute": 0 });
            json!({ "properties": { "maintenanceWindow": window } })
        }
        "tags.pgherd_block" => return false,
        _ => match field.split_once('.') {
            Some(("tags", tag)) => {
                let mut tags = world.emulator.with(|azure| azure.servers[name].json["tags"].clone());
                tags[tag] = json!("somebodys");
                json!({ "tags": tags })
            }
            _ => return false,
        },
    };
    // What is off may not have all that goes with it.
    if field == "autoGrow" {
        world.emulator.with(|azure| {
            let one = azure.servers.get_mut(name).expect("it is there");
            one.json["properties"]["storage"].as_object_mut().expect("an object").remove("autoGrowMaxThresholdMb");
        });
    }
    world.tamper("PATCH", &path(name, ""), &body);
    true
}

fn of_settings<const EACH: i64>(world: &World<EACH>, server: &str, field: &str, seen: &Value) -> bool {
    let name = field.strip_prefix("values.").expect("a setting");
    let other = match (name, seen.as_text().unwrap_or_default()) {
        (_, "on") => "off",
        (_, "off") => "on",
        (_, "top") => "all",
        (_, "all") => "none",
        ("work_mem", _) => "4096",
        ("max_connections", _) => "100",
        _ => "8",
    };
    let body = json!({ "properties": { "value": other, "source": "user-override" } });
    world.tamper("PATCH", &path(server, &format!("/configurations/{name}")), &body);
    world.emulator.advance(jiff::SignedDuration::from_mins(5));
    world.emulator.with(|azure| azure.tamper("GET", &path(server, ""), &Json::Null, Instant::now()));
    true
}

fn of_secret<const EACH: i64>(world: &World<EACH>, name: &str, field: &str) -> bool {
    world.emulator.with(|azure| {
        let held = azure.secrets.get_mut(name).expect("it is there");
        let (value, tags) = held.versions.last().cloned().expect("it holds something");
        let mut document: Json = serde_json::from_str(&value).expect("JSON");
        match field {
            "username" | "dbname" | "host" => document[field] = json!("eve"),
            "port" => document["port"] = json!(1),
            _ => return false,
        }
        held.versions.push((document.to_string(), tags));
        true
    })
}
