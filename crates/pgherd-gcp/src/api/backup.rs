//! Backups of an instance, the last ones of those that are gone, and how far back it can be restored.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{At, Operation, text};
use crate::error::GcpError;
use crate::session::Service::Sql;

/// A backup.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The id of a backup run.
    pub(crate) id: String,
    pub(crate) automatic: bool,
    pub(crate) status: String,
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) location: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) bytes: Option<u64>,
}

/// The backups of an instance, oldest first.
pub(crate) async fn backups(at: At<'_>, instance: &str) -> Result<Vec<Kept>, GcpError> {
    let told = at.session.list(Sql, &at.within(instance, "/backupRuns?maxResults=500"), "items").await?;
    let mut all: Vec<Kept> = told.iter().filter_map(read).collect();
    all.sort_by_key(|one| one.taken_at);
    Ok(all)
}

fn read(told: &Json) -> Option<Kept> {
    let time = text(told, "endTime").or_else(|| text(told, "startTime")).or_else(|| text(told, "enqueuedTime"));
    Some(Kept {
        id: text(told, "id")?,
        automatic: told["type"] != "ON_DEMAND",
        status: text(told, "status").unwrap_or_default(),
        taken_at: time.and_then(|time| time.parse().ok()),
        location: text(told, "location"),
        description: text(told, "description"),
        bytes: text(told, "maxChargeableBytes").and_then(|bytes| bytes.parse().ok()),
    })
}

/// Takes one now.
pub(crate) async fn backup(at: At<'_>, instance: &str, words: &str) -> Result<Operation, GcpError> {
    let told = at.session.post(Sql, &at.within(instance, "/backupRuns"), &json!({ "description": words })).await?;
    Ok(Operation::read(&told))
}

/// Puts what is in a backup of one instance into another, in the place of what is there.
pub(crate) async fn restore(at: At<'_>, into: &str, of: &str, id: &str) -> Result<Operation, GcpError> {
    let context = json!({ "backupRunId": id, "instanceId": of, "project": at.project });
    let body = json!({ "restoreBackupContext": context });
    let told = at.session.post(Sql, &at.within(into, "/restoreBackup"), &body).await?;
    Ok(Operation::read(&told))
}

/// From when to when it can be restored to any second; `None`: it cannot.
pub(crate) async fn recovery(at: At<'_>, instance: &str) -> Result<Option<(Timestamp, Timestamp)>, GcpError> {
    let path = at.within(instance, "/getLatestRecoveryTime");
    let told = match at.session.get(Sql, &path).await {
        // Without archiving it is refused, in words of its own.
        Err(error) if matches!(error.status, Some(400 | 404 | 409 | 412)) => return Ok(None),
        told => told?,
    };
    let time = |name: &str| text(&told, name).and_then(|time| time.parse().ok());
    Ok(time("earliestRecoveryTime").zip(time("latestRecoveryTime")))
}
