//! What stands beside a server: its lock, where its log goes, its private zone.

use serde_json::{Value as Json, json};

use super::{At, Begun, manager, text};
use crate::call::segment;
use crate::error::AzureError;
use crate::names::last;
use crate::tags::{self, Tags};

const LOCKS: &str = "2020-05-01";
const LOGS: &str = "2021-05-01-preview";
const ZONES: &str = "2024-06-01";

/// What our lock, our link and our diagnostic setting are called: each is within something that is named.
const OURS: &str = "pgherd";

/// The locks of a server: ours, and whether there are others.
pub(crate) async fn locks(at: At<'_>, server: &str) -> Result<(Option<String>, bool), AzureError> {
    let path = at.beside_server(server, "Microsoft.Authorization/locks", LOCKS);
    let all = at.session.list(&path).await?;
    let is_ours = |lock: &&Json| lock["name"] == OURS && !is_within(at, server, lock);
    let ours = all.iter().find(is_ours).and_then(|lock| text(&lock["properties"], "level"));
    // One of something within it is listed, too.
    let others = all.iter().any(|lock| lock["name"] != OURS && !is_within(at, server, lock));
    Ok((ours, others))
}

/// Whether a lock is of something within a server.
fn is_within(at: At<'_>, server: &str, lock: &Json) -> bool {
    let id = lock["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    let own = format!("{}/providers/microsoft.authorization/", at.server_id(server)).to_ascii_lowercase();
    let below = format!("{}/", at.server_id(server)).to_ascii_lowercase();
    id.starts_with(&below) && !id.starts_with(&own)
}

/// Locks a server.
pub(crate) async fn put_lock(at: At<'_>, server: &str) -> Result<(), AzureError> {
    let path = at.beside_server(server, &format!("Microsoft.Authorization/locks/{OURS}"), LOCKS);
    let notes = "pgherd: enable_deletion_protection";
    at.session
        .put(manager(&path), &json!({ "properties": { "level": "CanNotDelete", "notes": notes } }))
        .await
        .map(drop)
}

/// Takes our lock off.
pub(crate) async fn delete_lock(at: At<'_>, server: &str) -> Result<(), AzureError> {
    let path = at.beside_server(server, &format!("Microsoft.Authorization/locks/{OURS}"), LOCKS);
    at.session.delete(manager(&path)).await.map(drop)
}

fn logs_path(at: At<'_>, server: &str) -> String {
    at.beside_server(server, &format!("Microsoft.Insights/diagnosticSettings/{OURS}"), LOGS)
}

/// Where the log of a server goes by our setting: a workspace, and which logs.
pub(crate) async fn logs(at: At<'_>, server: &str) -> Result<Option<(String, Vec<String>)>, AzureError> {
    let Some(told) = at.session.find(manager(&logs_path(at, server))).await? else { return Ok(None) };
    let of = &told["properties"];
    let all = of["logs"].as_array().into_iter().flatten().filter(|log| log["enabled"] == true);
    let categories = all.filter_map(|log| text(log, "category")).collect();
    Ok(Some((text(of, "workspaceId").unwrap_or_default(), categories)))
}

/// Sends logs of a server to a workspace.
pub(crate) async fn put_logs(
    at: At<'_>,
    server: &str,
    workspace: &str,
    categories: &[String],
) -> Result<(), AzureError> {
    let logs: Vec<Json> = categories.iter().map(|name| json!({ "category": name, "enabled": true })).collect();
    let body = json!({ "properties": { "workspaceId": workspace, "logs": logs } });
    at.session.put(manager(&logs_path(at, server)), &body).await.map(drop)
}

/// Sends them nowhere.
pub(crate) async fn delete_logs(at: At<'_>, server: &str) -> Result<(), AzureError> {
    at.session.delete(manager(&logs_path(at, server))).await.map(drop)
}

/// A private zone, and the network that our link gives it to.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) tags: Tags,
    pub(crate) network: Option<String>,
}

fn zone_path(at: At<'_>, name: &str, rest: &str) -> String {
    at.of_group(&format!("Microsoft.Network/privateDnsZones/{}{rest}", segment(name)), ZONES)
}

fn link_path(at: At<'_>, name: &str) -> String {
    zone_path(at, name, &format!("/virtualNetworkLinks/{OURS}"))
}

/// A zone by its name.
pub(crate) async fn zone(at: At<'_>, name: &str) -> Result<Option<Zone>, AzureError> {
    let Some(told) = at.session.find(manager(&zone_path(at, name, ""))).await? else { return Ok(None) };
    let link = at.session.find(manager(&link_path(at, name))).await?.unwrap_or_default();
    Ok(Some(Zone {
        id: text(&told, "id").unwrap_or_default(),
        tags: tags::read(&told["tags"]),
        network: text(&link["properties"]["virtualNetwork"], "id"),
    }))
}

/// Makes a zone.
pub(crate) async fn put_zone(at: At<'_>, name: &str, worn: &Tags) -> Result<Begun, AzureError> {
    let body = json!({ "location": "global", "tags": worn });
    Ok(at.session.put(manager(&zone_path(at, name, "")), &body).await?.into())
}

/// Gives a zone to a network.
pub(crate) async fn put_link(at: At<'_>, name: &str, network: &str) -> Result<Begun, AzureError> {
    let properties = json!({ "virtualNetwork": { "id": network }, "registrationEnabled": false });
    let body = json!({ "location": "global", "properties": properties });
    Ok(at.session.put(manager(&link_path(at, name)), &body).await?.into())
}

/// Takes a zone from its network.
pub(crate) async fn unlink(at: At<'_>, name: &str) -> Result<Begun, AzureError> {
    Ok(at.session.delete(manager(&link_path(at, name))).await?.into())
}

/// Deletes a zone that nobody is given.
pub(crate) async fn delete_zone(at: At<'_>, name: &str) -> Result<Begun, AzureError> {
    Ok(at.session.delete(manager(&zone_path(at, last(name), ""))).await?.into())
}
