//! Backups of an instance, the last ones of those that are gone, and how far back it can be restored.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{At, Operation, labels, text};
use crate::call::segment;
use crate::error::GcpError;
use crate::labels;
use crate::session::Service::Sql;

/// A backup.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The id of a backup run; of a last backup its whole name, `projects/p/backups/b`.
    pub(crate) id: String,
    pub(crate) automatic: bool,
    /// Whether it is the last one of an instance that is gone.
    pub(crate) is_last: bool,
    pub(crate) status: String,
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) location: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) bytes: Option<u64>,
    /// The major of PostgreSQL that it was taken of, where it is told.
    pub(crate) major: Option<u32>,
    /// The size of the disk that it was taken of, where it is told: it needs one as large.
    pub(crate) disk_gib: Option<u64>,
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
        is_last: false,
        status: text(told, "status").unwrap_or_default(),
        taken_at: time.and_then(|time| time.parse().ok()),
        location: text(told, "location"),
        description: text(told, "description"),
        bytes: text(told, "maxChargeableBytes").and_then(|bytes| bytes.parse().ok()),
        major: major(told),
        disk_gib: None,
    })
}

/// `POSTGRES_16` is 16.
pub(crate) fn major(told: &Json) -> Option<u32> {
    told["databaseVersion"].as_str()?.strip_prefix("POSTGRES_")?.parse().ok()
}

/// The last backups of the instances that had a name, oldest first: those of instances that were pgherd's, as far as that is told.
pub(crate) async fn last_backups(at: At<'_>, instance: &str) -> Result<Vec<Kept>, GcpError> {
    let filter = segment(&format!("type:FINAL AND instance:{instance}"));
    let told = at.session.list(Sql, &at.sql(&format!("/backups?pageSize=500&filter={filter}")), "backups").await?;
    let mut all: Vec<Kept> = told.iter().filter_map(|told| last(told, instance)).collect();
    all.sort_by_key(|one| one.taken_at);
    Ok(all)
}

fn last(told: &Json, instance: &str) -> Option<Kept> {
    // A filter finds words within a name, too.
    let of = told["instance"].as_str().and_then(|name| name.rsplit(['/', ':']).next());
    let settings = &told["instanceSettings"];
    let is_ours = settings.is_null() || labels::are_ours(&labels(&settings["settings"]["userLabels"]), instance);
    let time = |path: &str| told.pointer(path).and_then(Json::as_str).and_then(|time| time.parse().ok());
    (told["type"] == "FINAL" && of == Some(instance) && is_ours).then(|| {
        Some(Kept {
            id: text(told, "name")?,
            automatic: false,
            is_last: true,
            status: text(told, "state").unwrap_or_default(),
            taken_at: time("/backupInterval/endTime").or_else(|| time("/instanceDeletionTime")),
            location: text(told, "location"),
            description: text(told, "description"),
            bytes: text(told, "maxChargeableBytes").and_then(|bytes| bytes.parse().ok()),
            major: major(told),
            disk_gib: text(&settings["settings"], "dataDiskSizeGb").and_then(|size| size.parse().ok()),
        })
    })?
}

/// Takes one now.
pub(crate) async fn backup(at: At<'_>, instance: &str, words: &str) -> Result<Operation, GcpError> {
    let told = at.session.post(Sql, &at.within(instance, "/backupRuns"), &json!({ "description": words })).await?;
    Ok(Operation::read(&told))
}

/// Puts what is in a backup of one instance into another, in the place of what is there.
pub(crate) async fn restore(at: At<'_>, into: &str, of: &str, kept: &Kept) -> Result<Operation, GcpError> {
    let body = if kept.is_last {
        json!({ "backup": kept.id })
    } else {
        json!({ "restoreBackupContext": { "backupRunId": kept.id, "instanceId": of, "project": at.project } })
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_backup_is_of_its_own_instance_and_of_pgherds() {
        let told = |instance: &str, owner: &str| {
            json!({
                "name": "projects/p/backups/b", "type": "FINAL", "instance": instance, "state": "SUCCESSFUL",
                "backupInterval": { "endTime": "2026-11-21T22:00:00Z" },
                "instanceSettings": { "settings": { "userLabels": { "pgherd_block": owner } } },
            })
        };
        assert!(last(&told("orders", "orders"), "orders").is_some_and(|one| one.taken_at.is_some() && one.is_last));
        assert!(last(&told("projects/p/instances/orders", "orders"), "orders").is_some());
        assert!(last(&told("orders-2", "orders-2"), "orders").is_none());
        assert!(last(&told("orders", "other"), "orders").is_none());
    }
}
