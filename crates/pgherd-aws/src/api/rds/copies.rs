//! Automated backups that are copied to a second region. Everything is asked there, of an instance by its ARN here.

use jiff::Timestamp;

use super::told::text;
use super::{asked, asked_once, listed, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// Copies as they are told where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copies {
    /// `DBInstanceAutomatedBackupsArn`.
    pub(crate) arn: String,
    /// The ARN of the instance they are of.
    pub(crate) instance: String,
    /// Days that they are kept.
    pub(crate) retention_days: Option<i64>,
    /// The ARN of the key there.
    pub(crate) kms_key: Option<String>,
    /// RDS's word for what goes on with them: `replicating`, `retained`, …
    pub(crate) status: String,
    /// The last moment they can be restored to.
    pub(crate) until: Option<Timestamp>,
}

/// What there is in a region of copies of an instance that is called so; perhaps in more than one other region.
pub(crate) async fn copies(session: &Session, region: &str, instance: &str) -> Result<Vec<Copies>, AwsError> {
    let form = Form::new("DescribeDBInstanceAutomatedBackups").set("DBInstanceIdentifier", instance);
    let copies = |told: &Element| Copies {
        arn: text(told, "DBInstanceAutomatedBackupsArn").unwrap_or_default(),
        instance: text(told, "DBInstanceArn").unwrap_or_default(),
        retention_days: told.int("BackupRetentionPeriod"),
        kms_key: text(told, "KmsKeyId"),
        status: text(told, "Status").unwrap_or_default(),
        until: told.time("RestoreWindow/LatestTime"),
    };
    let list = ("DBInstanceAutomatedBackups", "DBInstanceAutomatedBackup");
    let found = listed(session, region, form, list, copies).await;
    Ok(unless_missing(found, "DBInstanceAutomatedBackupNotFound")?.unwrap_or_default())
}

/// StartDBInstanceAutomatedBackupsReplication in a region, with these fields.
pub(crate) async fn start_copying(session: &Session, region: &str, fields: Form) -> Result<(), AwsError> {
    asked_once(session, region, starting().and(fields)).await.map(drop)
}

/// The call that begins copying, which its presigned URL is about, too.
pub(crate) fn starting() -> Form {
    Form::new("StartDBInstanceAutomatedBackupsReplication")
}

/// StopDBInstanceAutomatedBackupsReplication in a region; what was copied stays there.
pub(crate) async fn stop_copying(session: &Session, region: &str, instance_arn: &str) -> Result<(), AwsError> {
    let form = Form::new("StopDBInstanceAutomatedBackupsReplication").set("SourceDBInstanceArn", instance_arn);
    unless_missing(asked(session, region, form).await, "DBInstanceNotFound").map(drop)
}
