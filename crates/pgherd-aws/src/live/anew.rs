//! Instances that come of others: restored ones, replicas that stop following, and other names for either. None of it touches what an
//! instance is restored from.

use std::collections::BTreeSet;
use std::slice;

use pgherd_core::plan::{self, Action, Timing};
use pgherd_core::resource::{Id, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, ErrorKind, Events, ProviderError};

use super::document::{Document, Read};
use super::rotation::{self, Rotation};
use super::servers::{self, At};
use super::{change, instance, made, ours, request, secret};
use crate::api::rds::{self, DbInstance, RestoredFrom};
use crate::api::secrets::{self, CURRENT, PENDING};
use crate::kinds::{self, KINDS, tags};
use crate::names;
use crate::protocol::form::Form;
use crate::provider::Aws;

/// Fields that both calls of a restore take (botocore 1.43.11). What they take and nobody says is RDS's default, not what it was: the
/// network's default security group, the default parameters, no protection.
const TAKEN: [&str; 22] = [
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "AvailabilityZone",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DBParameterGroupName",
    "DBSubnetGroupName",
    "DeletionProtection",
    "EnableCloudwatchLogsExports",
    "EnableIAMDatabaseAuthentication",
    "EngineLifecycleSupport",
    "Iops",
    "MultiAZ",
    "OptionGroupName",
    "Port",
    "PreferredBackupWindow",
    "PubliclyAccessible",
    "StorageThroughput",
    "StorageType",
    "Tags",
    "VpcSecurityGroupIds",
];

/// The fields of a restore; `gib` is how much storage there was. The rest is changed once the instance is there.
pub(crate) fn restoring(props: &Props, from: &RestoredFrom, gib: i64) -> Form {
    let is_taken = |field: &str| match from {
        RestoredFrom::Snapshot(_) => TAKEN.contains(&field),
        RestoredFrom::Moment(..) | RestoredFrom::Copies(..) => TAKEN.contains(&field) || field == "MaxAllocatedStorage",
    };
    let mut said: Props = props
        .iter()
        .filter(|(field, _)| is_taken(field))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    // Storage never shrinks, and no restore makes it smaller either.
    let wanted = said.get("AllocatedStorage").and_then(Value::as_int).unwrap_or_default();
    said.insert("AllocatedStorage".to_owned(), Value::Int(wanted.max(gib)));
    if said.get("MaxAllocatedStorage").and_then(Value::as_int).is_some_and(|most| 10 * most < 11 * gib) {
        // It would be refused; the change that follows says what stands in the way.
        said.remove("MaxAllocatedStorage");
    }
    request::creation(&said)
}

/// Makes an instance out of what was kept, or goes on with one that is being made so, and returns when it is as wanted.
pub(crate) async fn restored(
    aws: &Aws,
    resource: &Resource,
    from: &RestoredFrom,
    gib: i64,
    timing: &Timing,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let look = || rds::instance(aws.session(), &at.region, &at.name);
    if look().await?.is_none() {
        let fields = restoring(&resource.props, from, gib);
        let make = || {
            let (at, fields) = (&at, fields.clone());
            async move { rds::restore(aws.session(), &at.region, &at.name, from, fields).await }
        };
        made::once("DBInstanceAlreadyExists", make, look).await?;
    }
    finished(aws, resource, timing, events).await
}

/// Waits for an instance that is being restored, and changes what no restore takes.
pub(crate) async fn finished(
    aws: &Aws,
    resource: &Resource,
    timing: &Timing,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    change::only_ours(&at, &instance::restored(aws, &at, events).await?)?;
    rest(aws, resource, timing, events).await
}

/// Changes what no restore takes. Nobody uses the instance yet, so nothing waits.
async fn rest(aws: &Aws, resource: &Resource, timing: &Timing, events: &Events) -> Result<(), ProviderError> {
    let resource = Resource { needs: Vec::new(), ..resource.clone() };
    let mut seen = servers::observe(aws, slice::from_ref(&resource)).await?;
    seen.retain(|seen| seen.id == resource.id);
    seen.iter_mut().for_each(|seen| seen.needs.clear());
    let plan = plan::plan(KINDS, &resource.id.name, slice::from_ref(&resource), &seen, timing);
    if let Some(refused) = plan.diagnostics.iter().find(|_| plan.is_refused()) {
        return Err(ProviderError::new(ErrorKind::Conflict, refused.message.clone()).help(refused.help.clone()));
    }
    for step in &plan.steps {
        if let Action::Update { resource, changes } = &step.action {
            instance::update(aws, resource, changes, ApplyNow(true), events).await?;
        }
    }
    Ok(())
}

/// Writes down the password that an instance is about to get, before there is anything it opens: as pending, which is what the next run
/// goes on with, however this one ends.
pub(crate) async fn password_intended(aws: &Aws, instance: &Resource) -> Result<(), ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    let id = Id::new(kinds::secret::NAME, names::secret(&instance.id.name));
    let look = || secrets::describe(session, region, &id.name);
    let described = match look().await? {
        Some(described) => Some(described),
        None => {
            let given = tags::sent_around(&instance.props);
            let key = secret::usable(aws, secret::key(&instance.props)).await?;
            let new = secret::new(&id.name, &given, key, None);
            let make = || secrets::create(session, region, &new);
            made::once("ResourceExistsException", make, look).await?
        }
    };
    if let Some(described) = described {
        if !ours::is(&described.tags, |database| names::secret(database) == id.name) {
            return Err(ours::foreign(&id));
        }
        if described.deleted {
            secrets::restore(session, region, &id.name).await?;
        }
        if described.stages.contains_key(PENDING) {
            return Ok(());
        }
    }
    let document = secret::of_instance(instance);
    Ok(secrets::put(session, region, &id.name, &document.version(), PENDING).await?)
}

/// The document in the secret of a database that exists; a rotation that was cut short is finished first.
pub(crate) async fn document_in_force(aws: &Aws, database: &str, events: &Events) -> Result<Document, ProviderError> {
    let id = Id::new(kinds::secret::NAME, names::secret(database));
    rotation::resumed(aws, &Rotation { secret: &id, instance: database }, events).await?;
    document_in_force_of(aws, database).await
}

/// The document in the secret of a database that has no instance at the moment.
pub(crate) async fn document_in_force_of(aws: &Aws, database: &str) -> Result<Document, ProviderError> {
    let id = Id::new(kinds::secret::NAME, names::secret(database));
    let version = secrets::value(aws.session(), aws.region(), &id.name, CURRENT).await?;
    let read = version.map(|version| Read::of(&version.text)).unwrap_or_default();
    let Some(password) = read.password else {
        let message = format!("there is no password in {id}");
        return Err(
            ProviderError::new(ErrorKind::Conflict, message).help("`pgherd rotate` gives the database a new one")
        );
    };
    Ok(Document {
        username: read.username.unwrap_or_default(),
        password,
        host: read.host.unwrap_or_default(),
        port: read.port.unwrap_or_else(|| kinds::security_group::DEFAULT_PORT.into()),
        dbname: read.dbname.unwrap_or_default(),
    })
}

/// Gives an instance a password that is written down already.
pub(crate) async fn password_given(
    aws: &Aws,
    instance: &str,
    password: &Secret,
    events: &Events,
) -> Result<(), ProviderError> {
    rotation::given(aws, instance, password, events).await
}

/// Writes down how a database is connected to, where nothing is written down yet. What is there already must hold the same password.
pub(crate) async fn written_down(
    aws: &Aws,
    database: &str,
    document: &Document,
    (given, key): (&[(String, String)], Option<&str>),
) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), names::secret(database));
    let look = || secrets::describe(session, region, &name);
    let found = match look().await? {
        Some(found) => Some(found),
        None => {
            let version = document.version();
            let new = secret::new(&name, given, secret::usable(aws, key).await?, Some(&version));
            let make = || secrets::create(session, region, &new);
            made::once("ResourceExistsException", make, look).await?
        }
    };
    let Some(found) = found else { return Ok(()) };
    if found.deleted {
        return Err(scheduled(&name));
    }
    let version = secrets::value(session, region, &name, CURRENT).await?;
    match version.and_then(|version| Read::of(&version.text).password) == Some(document.password.clone()) {
        true => Ok(()),
        false => {
            let message = format!("secret {name} holds another password than the one to be written down");
            let help = format!(
                "`aws secretsmanager put-secret-value --secret-id {name}` puts the right one in; then run this again"
            );
            Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
        }
    }
}

/// Nobody can say which of two passwords is meant: the one that would come back, or the one that is given.
fn scheduled(name: &str) -> ProviderError {
    let message = format!("secret {name} is scheduled for deletion, so no password is written into it");
    let help = format!(
        "`aws secretsmanager restore-secret --secret-id {name}` brings it back with the password it had; \
         `aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {name}` makes room for another one"
    );
    ProviderError::new(ErrorKind::Conflict, message).help(help)
}

/// Makes an instance of its own of a replica, and returns when it is at rest as one.
pub(crate) async fn promoted(
    aws: &Aws,
    replica: &DbInstance,
    backups: (u32, &str),
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At { region: aws.region().to_owned(), name: replica.id.clone(), block: replica.id.clone() };
    if replica.source.is_some() {
        let attempt = || rds::promote(aws.session(), &at.region, &at.name, backups.0, backups.1);
        match change::once_taken(aws, &at, events, attempt).await {
            // A lost answer leaves open whether it was heard: the source tells.
            Err(made::Refused::Aws(error)) if error.maybe_done => {}
            ended => ended?,
        }
    }
    let seen = change::at_rest(aws, &at, &BTreeSet::new(), events).await?;
    match seen.source {
        None => Ok(()),
        Some(source) => {
            let message = format!("{} follows {source} still", at.name);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("run this again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::props;

    #[track_caller]
    fn check(from: &RestoredFrom, gib: i64, expected: &str) {
        let wanted = props([
            ("AllocatedStorage", Value::Int(20)),
            ("DBInstanceClass", "db.t3.micro".into()),
            ("DBName", "shop".into()),
            ("EngineVersion", "16".into()),
            ("KmsKeyId", "alias/orders".into()),
            ("MasterUsername", "chief".into()),
            ("MaxAllocatedStorage", Value::Int(40)),
            ("MonitoringInterval", Value::Int(60)),
            ("PreferredMaintenanceWindow", "sun:04:00-sun:05:00".into()),
            ("VpcSecurityGroupIds", Value::List(vec!["sg-1".into()])),
        ]);
        assert_eq!(restoring(&wanted, from, gib).encode("v"), format!("Action=&Version=v&{expected}"));
    }

    #[test]
    fn what_a_restore_takes_is_said_and_what_it_does_not_take_is_not() {
        let snapshot = RestoredFrom::Snapshot("orders-1".to_owned());
        check(
            &snapshot,
            20,
            "AllocatedStorage=20&DBInstanceClass=db.t3.micro&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1",
        );
        let moment = RestoredFrom::Moment("db-1".to_owned(), None);
        check(
            &moment,
            20,
            "AllocatedStorage=20&DBInstanceClass=db.t3.micro&MaxAllocatedStorage=40\
             &VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1",
        );
    }

    #[test]
    fn storage_is_never_less_than_it_was() {
        check(
            &RestoredFrom::Moment("db-1".to_owned(), None),
            500,
            "AllocatedStorage=500&DBInstanceClass=db.t3.micro&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1",
        );
    }
}
