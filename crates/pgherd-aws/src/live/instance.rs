//! The instance: made with a password that is kept before it, changed call by call, deleted last and with a last snapshot.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};
use tokio::time::sleep;

use super::change::{self, only_ours};
use super::servers::At;
use super::{made, parameter_group, request, secret, subnet_group};
use crate::api::rds::{self, DbInstance, Last};
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::wait::{self, Rest};

/// Makes it, and returns when it is at rest. One that is being made already is waited for.
pub(super) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let look = || rds::instance(aws.session(), &at.region, &at.name);
    let found = match look().await? {
        Some(found) => Some(found),
        None => {
            let password = secret::ensure(aws, resource, events).await?;
            let make = || {
                let fields = request::creation(&resource.props);
                let (at, password) = (&at, &password);
                async move {
                    let attempt =
                        || rds::create_instance(aws.session(), &at.region, &at.name, fields.clone(), password);
                    wait::tried(aws, aws.patience().spreading, events, change::is_role_spreading, attempt).await
                }
            };
            made::once("DBInstanceAlreadyExists", make, look).await?
        }
    };
    match found {
        Some(found) => only_ours(&at, &found)?,
        None => sleep(aws.patience().before_first_look).await,
    }
    usable(aws, &at, events).await.map(drop)
}

/// Waits until what is being made can be used, with all its settings in force: nobody uses it yet, so a restart costs nothing.
pub(super) async fn usable(aws: &Aws, at: &At, events: &Events) -> Result<DbInstance, ProviderError> {
    let nothing = BTreeSet::new();
    let rest = Rest { region: &at.region, id: &at.name, at_most: aws.patience().making, changed: &nothing };
    let seen = wait::settled(aws, &rest, events).await?;
    if seen.settings == "pending-reboot" { change::restart(aws, at, events).await } else { Ok(seen) }
}

/// Changes it.
pub(super) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let seen = change::carry_out(aws, resource, changes, now, events).await?;
    left_group(aws, &at, changes, &seen, events).await
}

/// Removes the group of settings that an instance used before its changes, when it was its own and nobody uses it any more.
pub(super) async fn left_group(
    aws: &Aws,
    at: &At,
    changes: &[Change],
    seen: &DbInstance,
    events: &Events,
) -> Result<(), ProviderError> {
    let mut left = changes.iter().filter(|change| change.field == "DBParameterGroupName");
    match left.find_map(|change| change.from.as_text()).filter(|group| *group != seen.parameter_group) {
        Some(group) => parameter_group::tidy(aws, at, &seen.arn, group, events).await,
        None => Ok(()),
    }
}

/// Deletes it. Its own groups go with it, should nobody want them and so no step delete them.
pub(super) async fn delete(aws: &Aws, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, id);
    let Some(seen) = rds::instance(aws.session(), &at.region, &at.name).await? else { return Ok(()) };
    let last = how.final_backup.as_ref().map_or(Last::Nothing, |name| Last::Snapshot(name.to_lowercase()));
    ended(aws, &at, last, may_be_deleted, events).await?;
    parameter_group::tidy(aws, &at, &seen.arn, &seen.parameter_group, events).await?;
    match &seen.subnet_group {
        Some(group) => subnet_group::tidy(aws, &at, &seen.arn, &group.name, events).await,
        None => Ok(()),
    }
}

/// Deletes an instance or a replica that may be deleted, and waits until it is gone.
pub(super) async fn ended(
    aws: &Aws,
    at: &At,
    mut last: Last,
    may: fn(&At, &DbInstance) -> Result<(), ProviderError>,
    events: &Events,
) -> Result<(), ProviderError> {
    for _ in 0..TRIES {
        let seen = rds::instance(aws.session(), &at.region, &at.name).await?;
        let Some(seen) = seen.filter(|seen| seen.status != "deleting") else { break };
        may(at, &seen)?;
        let attempt = || rds::delete_instance(aws.session(), &at.region, &at.name, &last);
        // Protection that was turned off a moment ago may still be known somewhere.
        let is_protected = |error: &AwsError| error.kind() == ErrorKind::Protected;
        match wait::tried(aws, aws.patience().letting_go, events, is_protected, attempt).await {
            Ok(()) => break,
            Err(error) if error.is("DBSnapshotAlreadyExists") => last = another(last, events),
            Err(error) if change::is_at_work(&error) => drop(change::at_rest(aws, at, &BTreeSet::new(), events).await?),
            Err(error) if error.maybe_done => {}
            Err(error) => return Err(error.into()),
        }
    }
    wait::gone(aws, &at.region, &at.name, events).await
}

/// So often a deletion is begun that is put off by what somebody else does meanwhile.
const TRIES: usize = 5;

/// Refuses to delete what is not ours, what is protected, and what has replicas: RDS would make databases of their own of them
/// without being asked (Amazon RDS User Guide, "Deleting a DB instance").
fn may_be_deleted(at: &At, seen: &DbInstance) -> Result<(), ProviderError> {
    only_ours(at, seen)?;
    let refused = |message: String| ProviderError::new(ErrorKind::Protected, message);
    if seen.props.get("DeletionProtection") == Some(&Value::Bool(true)) {
        let help = "write enable_deletion_protection = false and apply that first";
        return Err(refused(format!("{} is protected from deletion", at.name)).help(help));
    }
    if !seen.replicas.is_empty() {
        let replicas = seen.replicas.join(", ");
        let message = format!("{} has read replicas that would become databases of their own: {replicas}", at.name);
        return Err(refused(message).help("delete or promote them first"));
    }
    Ok(())
}

/// A last snapshot under another name, since somebody took that one.
fn another(last: Last, events: &Events) -> Last {
    match last {
        Last::Nothing => Last::Nothing,
        Last::Snapshot(taken) => {
            let name = format!("{taken}-{}", Timestamp::now().strftime("%Y%m%d%H%M%S"));
            wait::say(events, format!("there is a snapshot {taken} already; the last one is called {name}"));
            Last::Snapshot(name)
        }
    }
}
