//! What an instance can be made of anew: snapshots, automated backups, and replicas that stop following.

use jiff::Timestamp;

use super::told::text;
use super::{asked, asked_once, listed, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// What is known of the instance that something was kept of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// `EngineVersion`.
    pub(crate) version: String,
    /// `MasterUsername`.
    pub(crate) username: String,
    /// `AllocatedStorage`.
    pub(crate) gib: i64,
    /// `Encrypted`.
    pub(crate) encrypted: bool,
    /// `KmsKeyId`, an ARN.
    pub(crate) key: Option<String>,
}

impl Kept {
    fn read(told: &Element) -> Self {
        let text = |path: &str| text(told, path).unwrap_or_default();
        Self {
            version: text("EngineVersion"),
            username: text("MasterUsername"),
            gib: told.int("AllocatedStorage").unwrap_or_default(),
            encrypted: told.bool("Encrypted").unwrap_or_default(),
            key: super::told::text(told, "KmsKeyId"),
        }
    }
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// `DBSnapshotIdentifier`.
    pub(crate) name: String,
    /// The instance it was taken of, as that was called then.
    pub(crate) instance: String,
    /// `manual`, `automated`, `awsbackup`.
    pub(crate) kind: String,
    /// RDS's word for how it is.
    pub(crate) status: String,
    /// When what it holds was taken, which copying does not change.
    pub(crate) taken: Option<Timestamp>,
    /// What it was taken of.
    pub(crate) kept: Kept,
}

impl Snapshot {
    fn read(told: &Element) -> Self {
        let text = |path: &str| text(told, path).unwrap_or_default();
        Self {
            name: text("DBSnapshotIdentifier"),
            instance: text("DBInstanceIdentifier"),
            kind: text("SnapshotType"),
            status: text("Status"),
            // `SnapshotCreateTime` is when a copy was copied.
            taken: told.time("OriginalSnapshotCreateTime").or_else(|| told.time("SnapshotCreateTime")),
            kept: Kept::read(told),
        }
    }
}

/// The automated backups of an instance, which may be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Automated {
    /// The `db-…` id of the instance, which no renaming changes.
    pub(crate) resource_id: String,
    /// Their own ARN, if they are copies of those of an instance in another region.
    pub(crate) copies: Option<String>,
    /// Whether the instance is there.
    pub(crate) is_active: bool,
    /// The moments it can be restored to; none before its first backup.
    pub(crate) range: Option<(Timestamp, Timestamp)>,
    /// What they are of.
    pub(crate) kept: Kept,
}

impl Automated {
    fn read(told: &Element) -> Self {
        let text = |path: &str| text(told, path).unwrap_or_default();
        let region = |arn: &str| arn.split(':').nth(3).map(str::to_owned);
        // `Region` is that of the instance, as its ARN says, too.
        let (own, of) = (text("DBInstanceAutomatedBackupsArn"), text("DBInstanceArn"));
        Self {
            resource_id: text("DbiResourceId"),
            copies: Some(own.clone()).filter(|_| region(&own).is_some() && region(&own) != region(&of)),
            is_active: text("Status") == "active",
            range: told.time("RestoreWindow/EarliestTime").zip(told.time("RestoreWindow/LatestTime")),
            kept: Kept::read(told),
        }
    }
}

/// A snapshot by its name.
pub(crate) async fn snapshot(session: &Session, region: &str, name: &str) -> Result<Option<Snapshot>, AwsError> {
    let form = Form::new("DescribeDBSnapshots").set("DBSnapshotIdentifier", name);
    let found = listed(session, region, form, ("DBSnapshots", "DBSnapshot"), Snapshot::read).await;
    Ok(unless_missing(found, "DBSnapshotNotFound")?.and_then(|found| found.into_iter().next()))
}

/// All snapshots that were taken of instances of a name.
pub(crate) async fn snapshots_of(session: &Session, region: &str, instance: &str) -> Result<Vec<Snapshot>, AwsError> {
    let form = Form::new("DescribeDBSnapshots").set("DBInstanceIdentifier", instance);
    let found = listed(session, region, form, ("DBSnapshots", "DBSnapshot"), Snapshot::read).await;
    Ok(unless_missing(found, "DBSnapshotNotFound")?.unwrap_or_default())
}

/// The automated backups of all instances that have or had a name.
pub(crate) async fn automated(session: &Session, region: &str, instance: &str) -> Result<Vec<Automated>, AwsError> {
    let form = Form::new("DescribeDBInstanceAutomatedBackups").set("DBInstanceIdentifier", instance);
    let list = ("DBInstanceAutomatedBackups", "DBInstanceAutomatedBackup");
    let found = listed(session, region, form, list, Automated::read).await;
    Ok(unless_missing(found, "DBInstanceAutomatedBackupNotFound")?.unwrap_or_default())
}

/// What an instance is restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RestoredFrom {
    /// The snapshot of this name.
    Snapshot(String),
    /// What the instance of this `db-…` id held at a moment; `None`: at the latest there is.
    Moment(String, Option<Timestamp>),
    /// The same of copies with this ARN, which are of an instance in another region.
    Copies(String, Option<Timestamp>),
}

/// RestoreDBInstanceFromDBSnapshot or RestoreDBInstanceToPointInTime, with these fields.
pub(crate) async fn restore(
    session: &Session,
    region: &str,
    id: &str,
    from: &RestoredFrom,
    fields: Form,
) -> Result<(), AwsError> {
    let form = match from {
        RestoredFrom::Snapshot(snapshot) => Form::new("RestoreDBInstanceFromDBSnapshot")
            .set("DBInstanceIdentifier", id)
            .set("DBSnapshotIdentifier", snapshot),
        RestoredFrom::Moment(source, at) | RestoredFrom::Copies(source, at) => {
            let field = match from {
                RestoredFrom::Copies(..) => "SourceDBInstanceAutomatedBackupsArn",
                _ => "SourceDbiResourceId",
            };
            let form =
                Form::new("RestoreDBInstanceToPointInTime").set("TargetDBInstanceIdentifier", id).set(field, source);
            match at {
                Some(at) => form.set("RestoreTime", *at),
                None => form.set("UseLatestRestorableTime", true),
            }
        }
    };
    asked_once(session, region, form.and(fields)).await.map(drop)
}

/// PromoteReadReplica. Backups are said: RDS turns them on for a day otherwise.
pub(crate) async fn promote(
    session: &Session,
    region: &str,
    id: &str,
    backup_days: u32,
    backup_window: &str,
) -> Result<(), AwsError> {
    let form = Form::new("PromoteReadReplica")
        .set("DBInstanceIdentifier", id)
        .set("BackupRetentionPeriod", backup_days)
        .set("PreferredBackupWindow", backup_window);
    asked_once(session, region, form).await.map(drop)
}

/// ModifyDBInstance with another name, at once. Whatever waits for the window is done with it.
pub(crate) async fn rename(session: &Session, region: &str, id: &str, to: &str) -> Result<(), AwsError> {
    let form = Form::new("ModifyDBInstance")
        .set("DBInstanceIdentifier", id)
        .set("NewDBInstanceIdentifier", to)
        .set("ApplyImmediately", true);
    asked(session, region, form).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(told: &str, taken: Option<&str>) {
        let told = Element::parse(format!("<DBSnapshot>{told}</DBSnapshot>").as_bytes()).expect("it is XML");
        assert_eq!(Snapshot::read(&told).taken, taken.map(|taken| taken.parse().expect("a time")));
    }

    /// Else an old backup that was copied today would stand as the newest.
    #[test]
    fn a_copy_is_as_old_as_what_it_holds() {
        let copied = "<SnapshotCreateTime>2026-11-02T00:00:00Z</SnapshotCreateTime>";
        let original = "<OriginalSnapshotCreateTime>2026-01-01T00:00:00Z</OriginalSnapshotCreateTime>";
        check(&format!("{copied}{original}"), Some("2026-01-01T00:00:00Z"));
        check(copied, Some("2026-11-02T00:00:00Z"));
        check("<Status>creating</Status>", None);
    }
}
