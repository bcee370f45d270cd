//! The instance: made with a password that is kept before it, changed call by call, deleted last and with a last snapshot.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};
use tokio::time::{Instant, sleep};

use super::change::{self, only_ours};
use super::servers::At;
use super::{made, parameter_group, request, secret, subnet_group};
use crate::api::rds::{self, DbInstance, Last};
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::status;
use crate::wait::{self, Rest, WAITS_FOR_RESTART};

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
    let is_new = found.as_ref().is_none_or(is_being_made);
    match found {
        Some(found) => only_ours(&at, &found)?,
        None => sleep(aws.patience().before_first_look).await,
    }
    let seen = usable(aws, &at, is_new, events).await?;
    if is_new {
        by_sql(&seen).into_iter().for_each(|line| wait::say(events, line));
    }
    Ok(())
}

/// What nobody but a user of the database can do, in SQL: RDS has no call for it, and it is nothing to log in for unasked.
fn by_sql(seen: &DbInstance) -> Vec<String> {
    let statements = "in each database whose statements are to be seen, unless shared_preload_libraries is without it: \
                      CREATE EXTENSION pg_stat_statements;";
    let login = "for each role that logs in with a token of IAM's: GRANT rds_iam TO …;";
    let by_token = seen.props.get("EnableIAMDatabaseAuthentication") == Some(&Value::Bool(true));
    [Some(statements), by_token.then_some(login)].into_iter().flatten().map(str::to_owned).collect()
}

/// Whether nobody can have used it yet. One that has become usable since the plan was made may be in use already.
pub(super) fn is_being_made(found: &DbInstance) -> bool {
    found.status == "creating"
}

/// Waits until it can be used. With all its settings in force where it is new: nobody uses it yet, so a restart costs nothing.
pub(super) async fn usable(aws: &Aws, at: &At, is_new: bool, events: &Events) -> Result<DbInstance, ProviderError> {
    usable_within(aws, at, is_new, aws.patience().making, events).await
}

/// The same of one that comes of a backup, which takes as long as there is of it.
pub(super) async fn restored(aws: &Aws, at: &At, events: &Events) -> Result<DbInstance, ProviderError> {
    usable_of_all_data(aws, at, true, events).await
}

/// The same of one that all the data is copied to first.
pub(super) async fn usable_of_all_data(
    aws: &Aws,
    at: &At,
    is_new: bool,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    usable_within(aws, at, is_new, aws.patience().restoring, events).await
}

async fn usable_within(
    aws: &Aws,
    at: &At,
    is_new: bool,
    at_most: Duration,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let nothing = BTreeSet::new();
    let rest = Rest { region: &at.region, id: &at.name, at_most, changed: &nothing };
    let seen = wait::settled(aws, &rest, events).await?;
    let restarts = is_new && seen.settings == WAITS_FOR_RESTART;
    if restarts { change::restart(aws, at, events).await } else { Ok(seen) }
}

/// Changes it.
pub(super) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let seen = change::carry_out(aws, resource, changes, events).await?;
    left_group(aws, &at, changes, &seen).await
}

/// Removes the group of settings that an instance used before its changes, when it was its own and nobody uses it any more.
pub(super) async fn left_group(aws: &Aws, at: &At, changes: &[Change], seen: &DbInstance) -> Result<(), ProviderError> {
    let mut left = changes.iter().filter(|change| change.field == "DBParameterGroupName");
    match left.find_map(|change| change.from.as_text()).filter(|group| *group != seen.parameter_group) {
        Some(group) => parameter_group::tidy(aws, at, group).await,
        None => Ok(()),
    }
}

/// Deletes it. Its own groups go with it, should nobody want them and so no step delete them.
pub(super) async fn delete(aws: &Aws, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, id);
    let Some(seen) = rds::instance(aws.session(), &at.region, &at.name).await? else { return Ok(()) };
    let last = how.final_backup.as_ref().map_or(Last::Nothing, |name| Last::Snapshot(name.to_lowercase()));
    ended(aws, &at, last, may_be_deleted, events).await?;
    tidied(aws, &at, &seen).await
}

/// Removes the groups of its own that a server had which is gone.
pub(super) async fn tidied(aws: &Aws, at: &At, seen: &DbInstance) -> Result<(), ProviderError> {
    parameter_group::tidy(aws, at, &seen.parameter_group).await?;
    match &seen.subnet_group {
        Some(group) => subnet_group::tidy(aws, at, &group.name).await,
        None => Ok(()),
    }
}

/// Deletes an instance or a replica that may be deleted, and waits until it is gone.
pub(super) async fn ended(
    aws: &Aws,
    at: &At,
    mut last: Last,
    may: fn(&At, &DbInstance, &Last) -> Result<(), ProviderError>,
    events: &Events,
) -> Result<(), ProviderError> {
    let began = Instant::now();
    let mut tries = 0;
    loop {
        let seen = rds::instance(aws.session(), &at.region, &at.name).await?;
        let Some(seen) = seen.filter(|seen| seen.status != "deleting") else { break };
        may(at, &seen, &last)?;
        tries += 1;
        let Err(error) = rds::delete_instance(aws.session(), &at.region, &at.name, &last).await else { break };
        match after(&error, &seen.status, &last) {
            After::Gone => break,
            // Protection that was turned off a moment ago may still be known somewhere; and somebody may have turned it on again.
            After::Protected if began.elapsed() < aws.patience().unprotecting => {
                events.phase(&error.message);
                sleep(aws.patience().between_looks).await;
                tries -= 1;
            }
            After::AnotherName if tries < TRIES => last = another(last, events),
            After::AtWork if tries < TRIES => drop(change::at_rest(aws, at, &BTreeSet::new(), events).await?),
            After::Look if tries < TRIES => {}
            After::Broken => return Err(no_snapshot(at, &seen.status, &error.to_string())),
            After::Protected | After::AnotherName | After::AtWork | After::Look | After::Refused => {
                return Err(error.into());
            }
        }
    }
    wait::gone(aws, &at.region, &at.name, events).await
}

/// So often a deletion is begun that is put off by what somebody else does meanwhile.
const TRIES: usize = 5;

/// What a deletion that was not taken comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// It is gone, or going.
    Gone,
    /// It is still known as protected.
    Protected,
    /// The last snapshot needs another name.
    AnotherName,
    /// RDS is at something else with it.
    AtWork,
    /// It may have been heard.
    Look,
    /// It does not come round, and RDS takes no last snapshot of it.
    Broken,
    Refused,
}

fn after(error: &AwsError, status: &str, last: &Last) -> After {
    if error.is("DBInstanceNotFound") || change::is_at_work(error) && error.message.contains("already being deleted") {
        return After::Gone;
    }
    if error.maybe_done {
        return After::Look;
    }
    let is_broken = status::is_fatal(status) && *last != Last::Nothing;
    match error {
        _ if error.is("DBSnapshotAlreadyExists") => After::AnotherName,
        _ if change::is_at_work(error) && is_broken => After::Broken,
        _ if change::is_at_work(error) => After::AtWork,
        _ if error.kind() == ErrorKind::Protected => After::Protected,
        _ => After::Refused,
    }
}

/// RDS takes no last snapshot of what is broken.
fn no_snapshot(at: &At, status: &str, why: &str) -> ProviderError {
    let message = format!("{} is {status}, and cannot be deleted with a last snapshot: {why}", at.name);
    ProviderError::new(ErrorKind::Conflict, message).help(
        "restore its backups into a new database first; skip_final_snapshot = true then deletes it with its automated backups, and \
         snapshots that were taken stay",
    )
}

/// Of what is so broken RDS deletes without a last snapshot only (botocore 1.43.11, DeleteDBInstance, `SkipFinalSnapshot`).
const WITHOUT_SNAPSHOT: [&str; 3] = ["failed", "incompatible-restore", "incompatible-network"];

/// Refuses to delete what is not ours, what is protected, what has replicas (RDS would make databases of their own of them without being
/// asked: Amazon RDS User Guide, "Deleting a DB instance"), and what is too broken for the last snapshot that is wanted.
fn may_be_deleted(at: &At, seen: &DbInstance, last: &Last) -> Result<(), ProviderError> {
    only_ours(at, seen)?;
    only_unprotected(at, seen, "write enable_deletion_protection = false and apply that first")?;
    only_without_followers(at, seen)?;
    if *last != Last::Nothing && WITHOUT_SNAPSHOT.contains(&seen.status.as_str()) {
        return Err(no_snapshot(at, &seen.status, "RDS takes none of what is so"));
    }
    Ok(())
}

/// Refuses to delete what others follow: they would be databases of their own without having been asked.
pub(super) fn only_without_followers(at: &At, seen: &DbInstance) -> Result<(), ProviderError> {
    let followers = [seen.replicas.as_slice(), seen.clusters.as_slice()].concat();
    if followers.is_empty() {
        return Ok(());
    }
    let replicas = followers.join(", ");
    let message = format!("{} has read replicas that would become databases of their own: {replicas}", at.name);
    Err(ProviderError::new(ErrorKind::Protected, message).help("delete or promote them first"))
}

/// Refuses to delete what is protected.
pub(super) fn only_unprotected(at: &At, seen: &DbInstance, help: &str) -> Result<(), ProviderError> {
    match seen.props.get("DeletionProtection") == Some(&Value::Bool(true)) {
        true => {
            let message = format!("{} is protected from deletion", at.name);
            Err(ProviderError::new(ErrorKind::Protected, message).help(help))
        }
        false => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::error::Cause;
    use crate::service::Service;

    #[track_caller]
    fn check(code: &str, message: &str, status: &str, last: &Last, expected: After) {
        let error = AwsError {
            service: Service::Rds,
            action: "DeleteDBInstance".to_owned(),
            cause: Cause::Refused,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: String::new(),
            status: Some(400),
            maybe_done: false,
        };
        assert_eq!(after(&error, status, last), expected, "{code} {message}");
    }

    #[test]
    fn a_deletion_that_is_not_taken_comes_to_something_else_each_time() {
        let last = Last::Snapshot("orders-last".to_owned());
        let state = "InvalidDBInstanceState";
        check("DBInstanceNotFound", "DBInstance orders not found.", "available", &last, After::Gone);
        check(state, "Instance orders is already being deleted.", "available", &last, After::Gone);
        check(state, "Instance orders is not available.", "modifying", &last, After::AtWork);
        check(state, "Cannot create a snapshot.", "incompatible-parameters", &last, After::Broken);
        check(state, "Instance orders is not available.", "incompatible-parameters", &Last::Nothing, After::AtWork);
        check("DBSnapshotAlreadyExists", "", "available", &last, After::AnotherName);
        let protected = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
        check("InvalidParameterCombination", protected, "available", &last, After::Protected);
        check("AccessDenied", "", "available", &last, After::Refused);
    }
}
