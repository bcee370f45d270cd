//! Snapshots that somebody takes.

use std::collections::BTreeMap;

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
