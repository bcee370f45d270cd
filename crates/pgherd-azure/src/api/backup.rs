//! Backups of a server, those that were asked for among them. They go with it.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{At, Begun, manager, text};
use crate::call::segment;
use crate::error::AzureError;

/// A backup.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) automatic: bool,
    pub(crate) taken_at: Option<Timestamp>,
}

/// The backups of a server, oldest first.
pub(crate) async fn backups(at: At<'_>, server: &str) -> Result<Vec<Kept>, AzureError> {
    let told = at.session.list(&at.of_server(server, "/backups")).await?;
    let read = |told: &Json| {
        let of = &told["properties"];
        Some(Kept {
            name: text(told, "name")?,
            automatic: of["backupType"] != "Customer On-Demand",
            taken_at: text(of, "completedTime").and_then(|time| time.parse().ok()),
        })
    };
    let mut all: Vec<Kept> = told.iter().filter_map(read).collect();
    all.sort_by_key(|one| one.taken_at);
    Ok(all)
}

/// Takes one now.
pub(crate) async fn backup(at: At<'_>, server: &str, name: &str) -> Result<Begun, AzureError> {
    let path = at.of_server(server, &format!("/backups/{}", segment(name)));
    Ok(at.session.put(manager(&path), &Json::Object(serde_json::Map::new())).await?.into())
}
