//! Instances and their replicas: DescribeDBInstances, and what makes, changes, restarts and deletes one.

use pgherd_core::secret::Secret;

use super::told::DbInstance;
use super::{asked, asked_once, listed, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::session::Session;

/// Instances of these names, whichever of them exist. A filter, so that one that does not exist is no refusal.
pub(crate) async fn instances(session: &Session, region: &str, ids: &[String]) -> Result<Vec<DbInstance>, AwsError> {
    let filter = Form::part().set("Name", "db-instance-id").list("Values", "Value", ids);
    let form = Form::new("DescribeDBInstances").list("Filters", "Filter", [filter]);
    listed(session, region, form, ("DBInstances", "DBInstance"), DbInstance::read).await
}

/// All instances of a region, whoever they belong to.
pub(crate) async fn all_instances(session: &Session, region: &str) -> Result<Vec<DbInstance>, AwsError> {
    let list = ("DBInstances", "DBInstance");
    listed(session, region, Form::new("DescribeDBInstances"), list, DbInstance::read).await
}

/// One instance; `None` where there is none of that name.
pub(crate) async fn instance(session: &Session, region: &str, id: &str) -> Result<Option<DbInstance>, AwsError> {
    let form = Form::new("DescribeDBInstances").set("DBInstanceIdentifier", id);
    let found = listed(session, region, form, ("DBInstances", "DBInstance"), DbInstance::read).await;
    Ok(unless_missing(found, "DBInstanceNotFound")?.and_then(|found| found.into_iter().next()))
}

/// CreateDBInstance with these fields.
pub(crate) async fn create_instance(
    session: &Session,
    region: &str,
    id: &str,
    fields: Form,
    password: &Secret,
) -> Result<(), AwsError> {
    let form = Form::new("CreateDBInstance").set("DBInstanceIdentifier", id).and(fields);
    asked_once(session, region, form.set("MasterUserPassword", password)).await.map(drop)
}

/// CreateDBInstanceReadReplica with these fields.
pub(crate) async fn create_replica(session: &Session, region: &str, id: &str, fields: Form) -> Result<(), AwsError> {
    let form = Form::new("CreateDBInstanceReadReplica").set("DBInstanceIdentifier", id).and(fields);
    asked_once(session, region, form).await.map(drop)
}

/// ModifyDBInstance with these fields. `immediately` is always said: true also brings everything that waits.
pub(crate) async fn modify_instance(
    session: &Session,
    region: &str,
    id: &str,
    fields: Form,
    immediately: bool,
) -> Result<(), AwsError> {
    let form = Form::new("ModifyDBInstance").set("DBInstanceIdentifier", id).set("ApplyImmediately", immediately);
    asked(session, region, form.and(fields)).await.map(drop)
}

/// RebootDBInstance, without a failover.
pub(crate) async fn reboot(session: &Session, region: &str, id: &str) -> Result<(), AwsError> {
    rebooted(session, region, id, false).await
}

/// RebootDBInstance with a failover: the standby takes over.
pub(crate) async fn fail_over(session: &Session, region: &str, id: &str) -> Result<(), AwsError> {
    rebooted(session, region, id, true).await
}

async fn rebooted(session: &Session, region: &str, id: &str, fails_over: bool) -> Result<(), AwsError> {
    let form = Form::new("RebootDBInstance").set("DBInstanceIdentifier", id).set("ForceFailover", fails_over);
    asked_once(session, region, form).await.map(drop)
}

/// What is kept of an instance that is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Last {
    /// Nothing: there is none, or none can be taken of a replica.
    Nothing,
    /// A snapshot of this name.
    Snapshot(String),
}

/// DeleteDBInstance. The automated backups of an instance go with it: its last snapshot holds the data.
pub(crate) async fn delete_instance(session: &Session, region: &str, id: &str, last: &Last) -> Result<(), AwsError> {
    let form = Form::new("DeleteDBInstance").set("DBInstanceIdentifier", id).set("DeleteAutomatedBackups", true);
    let form = match last {
        Last::Nothing => form.set("SkipFinalSnapshot", true),
        Last::Snapshot(name) => form.set("SkipFinalSnapshot", false).set("FinalDBSnapshotIdentifier", name),
    };
    asked_once(session, region, form).await.map(drop)
}
