//! Which request is what: methods and paths to handlers, with the names the official description has for them.

use percent_encoding::percent_decode_str;
use pgherd_core::catalogue::sizes;
use serde_json::{Value as Json, json};

use super::cluster::{self, Cluster};
use super::{Call, NETWORK, Ocean, Refusal, Said, alerts, check, within};

/// How many things a page has unless more are asked for.
const PAGE: usize = 20;

impl Ocean {
    /// A cluster or replica of a name that is not on its way out.
    pub(super) fn named(&self, name: &str) -> Option<&Cluster> {
        self.clusters.values().find(|cluster| cluster.name == name && cluster.gone_at.is_none())
    }

    fn replica(&mut self, source: &str, name: &str) -> Result<&mut Cluster, Refusal> {
        let mut all = self.clusters.values_mut();
        all.find(|one| one.source.as_deref() == Some(source) && one.name == name).ok_or_else(Refusal::absent)
    }
}

/// The description's name for a request.
pub(super) fn action(method: &str, path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let action = match (method, parts.as_slice()) {
        ("GET", ["v2", "account"]) => "account_get",
        ("GET", ["v2", "regions"]) => "regions_list",
        ("GET", ["v2", "databases", "options"]) => "databases_list_options",
        ("GET", ["v2", "databases"]) => "databases_list_clusters",
        ("POST", ["v2", "databases"]) => "databases_create_cluster",
        ("GET", ["v2", "databases", _]) => "databases_get_cluster",
        ("DELETE", ["v2", "databases", _]) => "databases_destroy_cluster",
        ("GET", ["v2", "databases", _, "config"]) => "databases_get_config",
        ("PATCH", ["v2", "databases", _, "config"]) => "databases_patch_config",
        ("GET", ["v2", "databases", _, "ca"]) => "databases_get_ca",
        ("PUT", ["v2", "databases", _, "migrate"]) => "databases_update_region",
        ("PUT", ["v2", "databases", _, "resize"]) => "databases_update_clusterSize",
        ("GET", ["v2", "databases", _, "firewall"]) => "databases_list_firewall_rules",
        ("PUT", ["v2", "databases", _, "firewall"]) => "databases_update_firewall_rules",
        ("PUT", ["v2", "databases", _, "maintenance"]) => "databases_update_maintenanceWindow",
        ("GET", ["v2", "databases", _, "backups"]) => "databases_list_backups",
        ("GET", ["v2", "databases", _, "replicas"]) => "databases_list_replicas",
        ("POST", ["v2", "databases", _, "replicas"]) => "databases_create_replica",
        ("GET", ["v2", "databases", _, "replicas", _]) => "databases_get_replica",
        ("DELETE", ["v2", "databases", _, "replicas", _]) => "databases_destroy_replica",
        ("PUT", ["v2", "databases", _, "replicas", _, "promote"]) => "databases_promote_replica",
        ("GET", ["v2", "databases", _, "events"]) => "databases_list_events_logs",
        ("GET", ["v2", "databases", _, "users"]) => "databases_list_users",
        ("POST", ["v2", "databases", _, "users"]) => "databases_add_user",
        ("GET", ["v2", "databases", _, "users", _]) => "databases_get_user",
        ("DELETE", ["v2", "databases", _, "users", _]) => "databases_delete_user",
        ("POST", ["v2", "databases", _, "users", _, "reset_auth"]) => "databases_reset_auth",
        ("GET", ["v2", "databases", _, "dbs"]) => "databases_list",
        ("POST", ["v2", "databases", _, "dbs"]) => "databases_add",
        ("GET", ["v2", "databases", _, "dbs", _]) => "databases_get",
        ("DELETE", ["v2", "databases", _, "dbs", _]) => "databases_delete",
        ("GET", ["v2", "databases", _, "pools"]) => "databases_list_connectionPools",
        ("POST", ["v2", "databases", _, "pools"]) => "databases_add_connectionPool",
        ("GET", ["v2", "databases", _, "pools", _]) => "databases_get_connectionPool",
        ("PUT", ["v2", "databases", _, "pools", _]) => "databases_update_connectionPool",
        ("DELETE", ["v2", "databases", _, "pools", _]) => "databases_delete_connectionPool",
        ("PUT", ["v2", "databases", _, "upgrade"]) => "databases_update_major_version",
        ("GET", ["v2", "databases", _, "autoscale"]) => "databases_get_autoscale",
        ("PUT", ["v2", "databases", _, "autoscale"]) => "databases_update_autoscale",
        ("GET", ["v2", "monitoring", "alerts"]) => "monitoring_list_alertPolicy",
        ("POST", ["v2", "monitoring", "alerts"]) => "monitoring_create_alertPolicy",
        ("GET", ["v2", "monitoring", "alerts", _]) => "monitoring_get_alertPolicy",
        ("PUT", ["v2", "monitoring", "alerts", _]) => "monitoring_update_alertPolicy",
        ("DELETE", ["v2", "monitoring", "alerts", _]) => "monitoring_delete_alertPolicy",
        ("GET", ["v2", "tags"]) => "tags_list",
        ("POST", ["v2", "tags"]) => "tags_create",
        ("GET", ["v2", "tags", _]) => "tags_get",
        ("DELETE", ["v2", "tags", _]) => "tags_delete",
        ("POST", ["v2", "tags", _, "resources"]) => "tags_assign_resources",
        ("DELETE", ["v2", "tags", _, "resources"]) => "tags_unassign_resources",
        ("GET", ["v2", "vpcs"]) => "vpcs_list",
        ("GET", ["v2", "vpcs", _]) => "vpcs_get",
        _ => "",
    };
    action.to_owned()
}

/// What is answered to a request, and its name.
pub(super) fn route(ocean: &mut Ocean, method: &str, path: &str, call: &Call<'_>) -> (String, Said) {
    let action = action(method, path);
    let read = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = path.trim_matches('/').split('/').map(read).collect();
    let part = |index: usize| parts.get(index).map(String::as_str).unwrap_or_default();
    // Alerts are one part deeper than clusters are.
    let at = if action.starts_with("monitoring_") { 3 } else { 2 };
    let said = answer(ocean, &action, part(at), part(4), call);
    (action, said)
}

/// `at` is what of its kind is meant, `within` what in it.
fn answer(ocean: &mut Ocean, action: &str, at: &str, within: &str, call: &Call<'_>) -> Said {
    match action {
        "account_get" => Ok((200, account())),
        "regions_list" => Ok((200, json!({ "regions": [], "links": {}, "meta": { "total": 0 } }))),
        "databases_list_options" => Ok((200, options())),
        "databases_list_clusters" => {
            let all = ocean.clusters.values().filter(|one| one.source.is_none() && one.listed_from <= call.now);
            Ok((200, paged(call, "databases", all.map(Cluster::shown).collect())))
        }
        "databases_create_cluster" => cluster::create(ocean, call),
        "monitoring_list_alertPolicy" => Ok((200, paged(call, "policies", ocean.alerts.values().cloned().collect()))),
        "monitoring_create_alertPolicy" => alerts::create(ocean, call),
        "monitoring_get_alertPolicy" => {
            ocean.alerts.get(at).map(|one| (200, json!({ "policy": one }))).ok_or_else(Refusal::absent)
        }
        "monitoring_update_alertPolicy" => alerts::update(ocean, at, call),
        "monitoring_delete_alertPolicy" => {
            ocean.alerts.remove(at).map(|_| (204, Json::Null)).ok_or_else(Refusal::absent)
        }
        "tags_list" => {
            let all = ocean.tags.iter().map(|tag| json!({ "name": tag, "resources": { "count": 0 } }));
            Ok((200, paged(call, "tags", all.collect())))
        }
        "tags_create" => {
            check::only(call.body, &["name", "resources"])?;
            let name = check::text(call.body, "name")?;
            check::tag(name)?;
            ocean.tags.insert(name.to_owned());
            Ok((201, json!({ "tag": { "name": name, "resources": { "count": 0 } } })))
        }
        "tags_get" => match ocean.tags.contains(at) {
            true => Ok((200, json!({ "tag": { "name": at, "resources": { "count": 0 } } }))),
            false => Err(Refusal::absent()),
        },
        "tags_delete" => {
            ocean.clusters.values_mut().for_each(|cluster| cluster.tags.retain(|tag| tag != at));
            if ocean.tags.remove(at) { Ok((204, Json::Null)) } else { Err(Refusal::absent()) }
        }
        "tags_assign_resources" | "tags_unassign_resources" => {
            tagged(ocean, at, call, action == "tags_assign_resources")
        }
        "vpcs_list" => Ok((200, paged(call, "vpcs", vec![vpc(NETWORK)]))),
        "vpcs_get" if at == NETWORK => Ok((200, json!({ "vpc": vpc(at) }))),
        "vpcs_get" | "" => Err(Refusal::absent()),
        _ => of_cluster(ocean, action, at, within, call),
    }
}

fn of_cluster(ocean: &mut Ocean, action: &str, id: &str, name: &str, call: &Call<'_>) -> Said {
    let there = ocean.clusters.get(id).filter(|one| one.visible_from <= call.now).cloned();
    let there = there.ok_or_else(Refusal::absent)?;
    let by_id = ["databases_list_firewall_rules", "databases_update_firewall_rules", "databases_update_clusterSize"];
    if there.source.is_some() && !by_id.contains(&action) {
        return Err(Refusal::absent());
    }
    match action {
        "databases_create_replica" => return cluster::replicate(ocean, &there, call),
        "databases_update_firewall_rules" => {
            check::only(call.body, &["rules"])?;
            there.at_rest()?;
            let rules = check::rules(&call.body["rules"])?;
            let rules = ocean.numbered(id, rules, call.now);
            ocean.clusters.get_mut(id).expect("it is there").rules = rules;
            return Ok((204, Json::Null));
        }
        "databases_list_replicas" => {
            let all = ocean.clusters.values().filter(|one| one.source.as_deref() == Some(id));
            let all: Vec<Json> = all.map(Cluster::shown_as_replica).collect();
            return Ok((200, json!({ "replicas": all, "links": {}, "meta": { "total": all.len() } })));
        }
        "databases_get_replica" => {
            let replica = ocean.replica(id, name)?.shown_as_replica();
            return Ok((200, json!({ "replica": replica })));
        }
        "databases_destroy_replica" => return cluster::delete(ocean.replica(id, name)?, call),
        "databases_promote_replica" => {
            let hidden_s = ocean.hidden_s;
            return cluster::promote(ocean.replica(id, name)?, hidden_s, call);
        }
        _ => {}
    }
    let one = ocean.clusters.get_mut(id).expect("it was there a moment ago");
    let listed = |name: &str, all: Vec<Json>| Ok((200, json!({ name: all })));
    match action {
        "databases_get_cluster" => Ok((200, json!({ "database": one.shown() }))),
        "databases_destroy_cluster" => cluster::delete(one, call),
        "databases_get_config" => Ok((200, json!({ "config": one.config }))),
        "databases_patch_config" => within::patch_config(one, call),
        // Any text will do: nobody connects.
        "databases_get_ca" => Ok((
            200,
            json!({ "ca": { "certificate": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K" } }),
        )),
        "databases_update_region" => cluster::migrate(one, call),
        "databases_update_clusterSize" => cluster::resize(one, call),
        "databases_list_firewall_rules" => listed("rules", one.rules.clone()),
        "databases_update_maintenanceWindow" => within::maintenance(one, call),
        "databases_list_backups" => {
            let backup = |at: &jiff::Timestamp| json!({ "created_at": at.to_string(), "size_gigabytes": 0.03, "incremental": false });
            let backups: Vec<Json> = one.backups(call.now).iter().map(backup).collect();
            Ok((
                200,
                json!({ "backups": backups, "scheduled_backup_time": { "backup_hour": 3, "backup_minute": 0, "backup_interval_hours": 24 } }),
            ))
        }
        "databases_list_events_logs" => {
            let event = |(index, (at, what)): (usize, &(jiff::Timestamp, &str))| json!({ "id": format!("e{index}"), "cluster_name": one.name, "event_type": what, "create_time": at.to_string() });
            let events = one.events.iter().enumerate().map(event).collect();
            listed("events", events)
        }
        "databases_list_users" => listed("users", one.users.iter().map(super::User::shown).collect()),
        "databases_get_user" => {
            let user = one.users.iter().find(|user| user.name == name).ok_or_else(Refusal::absent)?;
            Ok((200, json!({ "user": user.shown() })))
        }
        "databases_add_user" => within::add_user(one, call),
        "databases_delete_user" => within::delete_user(one, name),
        "databases_reset_auth" => within::reset_auth(one, name),
        "databases_list" => listed("dbs", one.databases.iter().map(|name| json!({ "name": name })).collect()),
        "databases_get" if one.databases.iter().any(|there| there == name) => {
            Ok((200, json!({ "db": { "name": name } })))
        }
        "databases_add" => within::add_database(one, call),
        "databases_delete" => within::delete_database(one, name),
        "databases_list_connectionPools" => {
            listed("pools", one.pools.iter().map(|pool| within::shown_pool(one, pool)).collect())
        }
        "databases_get_connectionPool" => {
            let pool = one.pools.iter().find(|pool| pool["name"] == name).ok_or_else(Refusal::absent)?;
            Ok((200, json!({ "pool": within::shown_pool(one, pool) })))
        }
        "databases_add_connectionPool" => within::add_pool(one, call),
        "databases_update_connectionPool" => within::update_pool(one, name, call),
        "databases_delete_connectionPool" => within::delete_pool(one, name),
        "databases_update_major_version" => cluster::upgrade(one, call),
        "databases_get_autoscale" => {
            let autoscale = one.autoscale.clone().unwrap_or_else(|| json!({ "storage": { "enabled": false } }));
            Ok((200, json!({ "autoscale": autoscale })))
        }
        "databases_update_autoscale" => within::autoscale(one, call),
        _ => Err(Refusal::absent()),
    }
}

fn tagged(ocean: &mut Ocean, tag: &str, call: &Call<'_>, on: bool) -> Said {
    check::only(call.body, &["resources"])?;
    // Tags are found in whatever letters.
    let spelled =
        ocean.tags.iter().find(|there| there.eq_ignore_ascii_case(tag)).cloned().ok_or_else(Refusal::absent)?;
    for resource in call.body["resources"].as_array().into_iter().flatten() {
        // The description has no word for clusters here; DigitalOcean's own Terraform provider says `database`.
        if check::text(resource, "resource_type")? != "database" {
            return Err(Refusal::invalid("the emulator tags databases only"));
        }
        let id = check::text(resource, "resource_id")?;
        let cluster = ocean.clusters.get_mut(id).ok_or_else(Refusal::absent)?;
        cluster.tags.retain(|worn| !worn.eq_ignore_ascii_case(&spelled));
        if on {
            cluster.tags.push(spelled.clone());
        }
    }
    Ok((204, Json::Null))
}

fn paged(call: &Call<'_>, name: &str, all: Vec<Json>) -> Json {
    let asked = |name: &str| {
        let mut pairs = call.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (size, page) = (asked("per_page").unwrap_or(PAGE).clamp(1, 200), asked("page").unwrap_or(1).max(1));
    let total = all.len();
    let items: Vec<Json> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let links = match page * size < total {
        true => json!({ "pages": { "next": format!("https://api.digitalocean.com/?page={}", page + 1) } }),
        false => json!({}),
    };
    json!({ name: items, "links": links, "meta": { "total": total } })
}

fn account() -> Json {
    json!({ "account": {
        "droplet_limit": 25,
        "floating_ip_limit": 5,
        "email": "emulated@example.com",
        "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
        "email_verified": true,
        "status": "active",
        "status_message": "",
        "team": { "uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "Emulated" },
    } })
}

fn options() -> Json {
    let all = || sizes::of(pgherd_core::cloud::Cloud::DigitalOcean);
    let layout = |nodes: i64| {
        let sizes: Vec<String> =
            all().filter(|size| nodes == 1 || size.standby).map(|size| size.name.clone()).collect();
        json!({ "num_nodes": nodes, "sizes": sizes })
    };
    json!({
        "options": { "pg": {
            "regions": check::REGIONS,
            "versions": &check::VERSIONS[1..],
            "layouts": [layout(1), layout(2), layout(3)],
        } },
        "version_availability": { "pg": [] },
    })
}

fn vpc(id: &str) -> Json {
    json!({
        "id": id,
        "name": "default-nyc3",
        "description": "",
        "region": "nyc3",
        "ip_range": "10.108.0.0/20",
        "urn": format!("do:vpc:{id}"),
        "default": true,
        "created_at": "2026-01-01T00:00:00Z",
    })
}
