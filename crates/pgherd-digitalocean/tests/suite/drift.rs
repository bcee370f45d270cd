//! Every field, changed by somebody else.

use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_digitalocean::kinds::{alert, cluster, config, firewall, pool, replica};
use pgherd_engine::suite;
use serde_json::{Value as Json, json};

use crate::world::{Ocean, WHOLE, World};

#[tokio::test]
async fn drift_of_every_field_is_found_and_put_right() {
    let untouched = suite::drift_is_found::<Ocean>(WHOLE).await;
    assert_eq!(untouched, UNTOUCHED, "there is no hand for these here");
}

/// What is in files of this machine, which tests of their own hold; and where the cluster is, since replicas stay.
const UNTOUCHED: &[&str] = &[
    "cluster region",
    "cluster tags.pgherd:block",
    "secret dbname",
    "secret host",
    "secret in_force",
    "secret port",
    "secret username",
];

/// Changes a field as somebody else would.
pub fn tamper<const EACH: i64>(world: &World<EACH>, id: &Id, field: &str, seen: &Value) -> bool {
    match id.kind.as_str() {
        cluster::NAME => of_cluster(world, &id.name, field),
        replica::NAME => {
            let body = json!({ "size": "db-s-4vcpu-8gb", "num_nodes": 1 });
            world.tamper("PUT", &format!("/v2/databases/{}/resize", world.id_of(&id.name)), &body);
            true
        }
        config::NAME => {
            let Some(name) = field.strip_prefix("config.") else { return false };
            let other = match seen {
                Value::Bool(on) => json!(!on),
                Value::Int(number) => json!(number + 1),
                _ => return false,
            };
            put(world, &id.name, "PATCH", "config", &json!({ "config": { name: other } }));
            true
        }
        firewall::NAME => {
            let path = format!("/v2/databases/{}/firewall", world.id_of(&id.name));
            world.tamper("PUT", &path, &json!({ "rules": [{ "type": "ip_addr", "value": "203.0.113.9" }] }));
            true
        }
        pool::NAME => {
            let mut body = json!({ "mode": "transaction", "size": 20, "db": "shop", "user": "app" });
            body[field] = match field {
                "mode" => json!("session"),
                "size" => json!(7),
                "db" => json!("defaultdb"),
                _ => json!("doadmin"),
            };
            put(world, "orders", "PUT", &format!("pools/{}", id.name), &body);
            true
        }
        alert::NAME => {
            let policy = |ocean: &mut pgherd_emulate::digitalocean::Ocean| {
                let description = alert::description(&id.name);
                ocean.alerts.values().find(|one| one["description"] == description.as_str()).cloned()
            };
            let mut policy = world.emulator.with(policy).expect("it is there");
            let uuid = policy.as_object_mut().and_then(|policy| policy.remove("uuid")).expect("an id");
            match field {
                "type" => policy["type"] = json!("v1/dbaas/alerts/load_15_alerts"),
                "compare" => policy["compare"] = json!("LessThan"),
                "value" => policy["value"] = json!(55.0),
                "window" => policy["window"] = json!("1h"),
                "entities" => policy["entities"] = json!(["another"]),
                "emails" => policy["alerts"]["email"] = json!(["eve@example.com"]),
                _ => policy["enabled"] = json!(false),
            }
            let uuid = uuid.as_str().unwrap_or_default();
            world.tamper("PUT", &format!("/v2/monitoring/alerts/{uuid}"), &policy);
            true
        }
        _ => false,
    }
}

fn of_cluster<const EACH: i64>(world: &World<EACH>, name: &str, field: &str) -> bool {
    match field {
        "size" => {
            put(world, name, "PUT", "resize", &json!({ "size": "db-s-4vcpu-8gb", "num_nodes": 2 }));
            // Only its size is what somebody changed.
            world.emulator.with(|ocean| {
                for one in ocean.clusters.values_mut().filter(|one| one.name == name) {
                    one.storage_mib = 51200;
                }
            });
        }
        "num_nodes" => put(world, name, "PUT", "resize", &json!({ "size": "db-s-2vcpu-4gb", "num_nodes": 3 })),
        "autoscale" => put(world, name, "PUT", "autoscale", &json!({ "storage": { "enabled": false } })),
        "maintenance_window" => put(world, name, "PUT", "maintenance", &json!({ "day": "friday", "hour": "23:00" })),
        _ => match field.strip_prefix("tags.") {
            // Without this tag it would be another's.
            Some("pgherd:block") => return false,
            Some(key) => {
                world.emulator.with(|ocean| {
                    for one in ocean.clusters.values_mut().filter(|one| one.name == name) {
                        one.tags.retain(|tag| !tag.starts_with(&format!("{key}:")));
                        one.tags.push(format!("{key}:somebodys"));
                    }
                    ocean.tags.insert(format!("{key}:somebodys"));
                });
            }
            None => return false,
        },
    }
    true
}

fn put<const EACH: i64>(world: &World<EACH>, name: &str, method: &str, what: &str, body: &Json) {
    world.tamper(method, &format!("/v2/databases/{}/{what}", world.id_of(name)), body);
}
