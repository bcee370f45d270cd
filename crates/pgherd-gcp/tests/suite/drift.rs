//! Every field, changed by somebody else.

use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_engine::suite;
use pgherd_gcp::kinds::{alert, channel, instance, replica, secret};
use serde_json::{Value as Json, json};

use crate::world::{Google, WHOLE, World};

#[tokio::test]
async fn drift_of_every_field_is_found_and_put_right() {
    let untouched = suite::drift_is_found::<Google>(WHOLE).await;
    assert_eq!(untouched, UNTOUCHED, "there is no hand for these here");
}

/// What a test of its own holds, and the label without which it would be another's.
const UNTOUCHED: &[&str] = &[
    "instance availabilityType",
    "instance backupsEnabled",
    "instance edition",
    "instance pointInTimeRecoveryEnabled",
    "instance privateNetwork",
    "instance userLabels.pgherd_block",
    "replica edition",
    "replica userLabels.pgherd_block",
    "secret in_force",
    "secret userLabels.pgherd_block",
];

/// Changes a field as somebody else would.
pub fn tamper<const EACH: i64>(world: &World<EACH>, id: &Id, field: &str, _seen: &Value) -> bool {
    match id.kind.as_str() {
        instance::NAME | replica::NAME => of_instance(world, &id.name, field),
        secret::NAME => of_secret(world, &id.name, field),
        channel::NAME => {
            world.emulator.with(|google| google.channels.values_mut().for_each(|one| one["enabled"] = json!(false)));
            true
        }
        alert::NAME => {
            world.emulator.with(|google| {
                for one in google.policies.values_mut().filter(|one| one["displayName"] == id.name.as_str()) {
                    let condition = &mut one["conditions"][0]["conditionThreshold"];
                    match field {
                        "filter" => condition["filter"] = json!("metric.type=\"cloudsql.googleapis.com/x\""),
                        "thresholdValue" => condition["thresholdValue"] = json!(0.11),
                        "comparison" => condition["comparison"] = json!("COMPARISON_LT"),
                        "duration" => condition["duration"] = json!("60s"),
                        "crossSeriesReducer" => {
                            condition["aggregations"][0]["crossSeriesReducer"] = json!("REDUCE_MAX");
                        }
                        "notificationChannels" => one["notificationChannels"] = json!([]),
                        _ => one["enabled"] = json!(false),
                    }
                }
            });
            true
        }
        _ => false,
    }
}

fn of_instance<const EACH: i64>(world: &World<EACH>, name: &str, field: &str) -> bool {
    let settings = match field {
        // A replica is never smaller than its primary.
        "tier" if name.contains("-replica-") => json!({ "tier": "db-custom-8-32768" }),
        "tier" => json!({ "tier": "db-custom-1-3840" }),
        "storageAutoResize" => json!({ "storageAutoResize": false }),
        "storageAutoResizeLimit" => json!({ "storageAutoResizeLimit": "300" }),
        "sslMode" => json!({ "ipConfiguration": { "sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED" } }),
        "ipv4Enabled" => json!({ "ipConfiguration": { "ipv4Enabled": false } }),
        "authorizedNetworks" => {
            json!({ "ipConfiguration": { "authorizedNetworks": [{ "name": "eve", "value": "203.0.113.9/32" }] } })
        }
        "backupStartTime" => json!({ "backupConfiguration": { "startTime": "11:00" } }),
        "retainedBackups" => json!({ "backupConfiguration": { "backupRetentionSettings": { "retainedBackups": 2 } } }),
        "transactionLogRetentionDays" => json!({ "backupConfiguration": { "transactionLogRetentionDays": 1 } }),
        "maintenanceWindow" => json!({ "maintenanceWindow": { "day": 2, "hour": 9 } }),
        "deletionProtectionEnabled" => json!({ "deletionProtectionEnabled": true }),
        "queryInsightsEnabled" => json!({ "insightsConfig": { "queryInsightsEnabled": false } }),
        "connectionPoolingEnabled" => {
            // No edition of this block has one: what Google itself would have turned on.
            world.emulator.with(|google| {
                let one = google.instances.get_mut(name).expect("it is there");
                one.json["settings"]["connectionPoolConfig"] = json!({ "connectionPoolingEnabled": true });
            });
            return true;
        }
        "userLabels.pgherd_block" => return false,
        _ => match field.split_once('.') {
            Some(("databaseFlags", _)) => json!({ "databaseFlags": [] }),
            Some(("userLabels", key)) => json!({ "userLabels": { key: "somebodys" } }),
            _ => return false,
        },
    };
    patch(world, name, &json!({ "settings": settings }));
    true
}

fn patch<const EACH: i64>(world: &World<EACH>, name: &str, body: &Json) {
    world.tamper("PATCH", &format!("/v1/projects/learning/instances/{name}"), body);
}

fn of_secret<const EACH: i64>(world: &World<EACH>, name: &str, field: &str) -> bool {
    world.emulator.with(|google| {
        let held = google.secrets.get_mut(name).expect("it is there");
        if let Some(key) = field.strip_prefix("userLabels.").filter(|key| *key != "pgherd_block") {
            held.labels.insert(key.to_owned(), "somebodys".to_owned());
            return true;
        }
        let last = held.versions.last().expect("it holds something");
        let mut document: Json = serde_json::from_slice(last).expect("JSON");
        match field {
            "username" | "dbname" | "host" => document[field] = json!("eve"),
            "port" => document["port"] = json!(1),
            _ => return false,
        }
        held.versions.push(document.to_string().into_bytes());
        true
    })
}
