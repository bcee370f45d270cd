//! Snapshots, and the times an instance can be restored to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::told::text;
use super::{asked_once, listed, tag, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// CreateDBSnapshot.
pub(crate) async fn create_snapshot(
    session: &Session,
    region: &str,
    name: &str,
    instance: &str,
    tags: &[(String, String)],
) -> Result<(), AwsError> {
    let form = Form::new("CreateDBSnapshot")
        .set("DBSnapshotIdentifier", name)
        .set("DBInstanceIdentifier", instance)
        .list("Tags", "Tag", tags.iter().map(tag));
    asked_once(session, region, form).await.map(drop)
}

/// A snapshot that somebody took of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// `DBSnapshotIdentifier`.
    pub(crate) name: String,
    /// RDS's word for how it is.
    pub(crate) status: String,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// The snapshots that somebody took of an instance; RDS's own are left out.
pub(crate) async fn snapshots_taken(session: &Session, region: &str, instance: &str) -> Result<Vec<Taken>, AwsError> {
    let form = Form::new("DescribeDBSnapshots").set("DBInstanceIdentifier", instance).set("SnapshotType", "manual");
    let taken = |told: &Element| Taken {
        name: text(told, "DBSnapshotIdentifier").unwrap_or_default(),
        status: text(told, "Status").unwrap_or_default(),
        tags: super::told::tags(told),
    };
    listed(session, region, form, ("DBSnapshots", "DBSnapshot"), taken).await
}

/// RDS's word for how a snapshot is; `None` where there is none of that name.
pub(crate) async fn snapshot_status(session: &Session, region: &str, name: &str) -> Result<Option<String>, AwsError> {
    let form = Form::new("DescribeDBSnapshots").set("DBSnapshotIdentifier", name);
    let status = |told: &Element| text(told, "Status").unwrap_or_default();
    let found = listed(session, region, form, ("DBSnapshots", "DBSnapshot"), status).await;
    Ok(unless_missing(found, "DBSnapshotNotFound")?.and_then(|found| found.into_iter().next()))
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    /// `manual`, `automated`, `awsbackup`.
    pub(crate) kind: String,
    /// RDS's word: `creating`, `available`, `failed`, …
    pub(crate) status: String,
    /// `None`: it is being taken.
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) engine_version: Option<String>,
    pub(crate) encrypted: Option<bool>,
}

/// The snapshots of an instance, there or gone, oldest first: those somebody took, and those RDS takes by itself.
pub(crate) async fn snapshots(session: &Session, region: &str, instance: &str) -> Result<Vec<Snapshot>, AwsError> {
    let form = Form::new("DescribeDBSnapshots").set("DBInstanceIdentifier", instance);
    let mut found = listed(session, region, form, ("DBSnapshots", "DBSnapshot"), read).await?;
    found.sort_by_key(|one| (one.taken_at.is_none(), one.taken_at));
    Ok(found)
}

fn read(told: &Element) -> Snapshot {
    Snapshot {
        name: text(told, "DBSnapshotIdentifier").unwrap_or_default(),
        kind: text(told, "SnapshotType").unwrap_or_default(),
        status: text(told, "Status").unwrap_or_default(),
        taken_at: told.time("SnapshotCreateTime"),
        engine_version: text(told, "EngineVersion"),
        encrypted: told.bool("Encrypted"),
    }
}

/// The first and the last moment that an instance, there or gone, can be restored to, of each series of automated backups of its
/// name: that of an instance of today comes last.
pub(crate) async fn restore_windows(
    session: &Session,
    region: &str,
    instance: &str,
) -> Result<Vec<(Option<Timestamp>, Timestamp)>, AwsError> {
    let form = Form::new("DescribeDBInstanceAutomatedBackups").set("DBInstanceIdentifier", instance);
    let read = |told: &Element| {
        let window = told.at("RestoreWindow")?;
        Some((window.time("EarliestTime"), window.time("LatestTime")?))
    };
    let list = ("DBInstanceAutomatedBackups", "DBInstanceAutomatedBackup");
    let found = listed(session, region, form, list, read).await;
    let found = unless_missing(found, "DBInstanceAutomatedBackupNotFound")?.unwrap_or_default();
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    found.sort_by_key(|(_, latest)| *latest);
    Ok(found)
}
