//! Changes of an instance or a replica: one call after another, each waited for, so that every half-way point is one to stay at.

use std::collections::BTreeSet;
use std::future::Future;

use pgherd_core::plan::Change;
use pgherd_core::resource::Resource;
use pgherd_engine::provider::{ApplyNow, ErrorKind, Events, ProviderError};
use tokio::time::Instant;

use super::made::Refused;
use super::modify::{self, Modify};
use super::servers::At;
use super::{request, spelling, tagged, upgrade};
use crate::api::rds::{self, DbInstance};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::wait::{self, Rest};

/// Fields whose change ends what clients are doing.
const INTERRUPTING: [&str; 5] =
    ["DBInstanceClass", "EngineVersion", "BackupRetentionPeriod", "DBSubnetGroupName", "Port"];

/// Carries out the changes of an instance or a replica, and says how it is then.
pub(super) async fn carry_out(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    now: ApplyNow,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let at = At::of(aws, &resource.id);
    let mut seen = ours(aws, &at).await?;
    tagged::carry(aws, &at, &seen, changes, events).await?;
    for call in modify::calls(changes) {
        if let Some(field) = would_fire(&call, &seen).filter(|_| !now.0) {
            return Err(fires(&call, field));
        }
        upgrade::prepared(aws, &at, &seen, &call, events).await?;
        let Some(fields) = request::modification(&call, resource, &seen) else { continue };
        sent(aws, &at, fields, call.immediately, events).await?;
        seen = at_rest(aws, &at, &waited_for(&call), events).await?;
        if call.reboot && seen.settings == "pending-reboot" {
            seen = restart(aws, &at, events).await?;
        }
    }
    Ok(seen)
}

/// The instance, when it is there and ours.
pub(super) async fn ours(aws: &Aws, at: &At) -> Result<DbInstance, ProviderError> {
    let seen = rds::instance(aws.session(), &at.region, &at.name).await?;
    let seen = seen.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{} is not there any more", at.name)).help("plan again")
    })?;
    only_ours(at, &seen)?;
    Ok(seen)
}

/// Refuses what does not wear our tag.
pub(super) fn only_ours(at: &At, seen: &DbInstance) -> Result<(), ProviderError> {
    match spelling::foreign(&seen.tags, &at.block) {
        Some(reason) => Err(not_ours(&at.name, &reason)),
        None => Ok(()),
    }
}

/// Something under a name of ours is somebody else's.
pub(super) fn not_ours(name: &str, reason: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Protected, format!("{name} exists and is not pgherd's: {reason}"))
        .help("`pgherd adopt` takes it over; or give the block another name")
}

/// Waits until it is at rest and these fields hold.
pub(super) async fn at_rest(
    aws: &Aws,
    at: &At,
    changed: &BTreeSet<String>,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let rest = Rest { region: &at.region, id: &at.name, at_most: aws.patience().changing, changed };
    wait::settled(aws, &rest, events).await
}

/// Restarts it, once it takes that, until all its settings are in force.
pub(super) async fn restart(aws: &Aws, at: &At, events: &Events) -> Result<DbInstance, ProviderError> {
    // A lost answer leaves open whether it was heard: the settings tell.
    for _ in 0..2 {
        let attempt = || rds::reboot(aws.session(), &at.region, &at.name);
        match once_taken(aws, at, events, attempt).await {
            Err(Refused::Aws(error)) if error.maybe_done => {}
            ended => ended?,
        }
        let seen = at_rest(aws, at, &BTreeSet::new(), events).await?;
        if seen.settings != "pending-reboot" {
            return Ok(seen);
        }
    }
    let message = format!("{} was restarted, and its settings are still not in force", at.name);
    Err(ProviderError::new(ErrorKind::Conflict, message))
}

/// Asks as soon as RDS takes it: while it is at something else with an instance, that is waited for.
pub(super) async fn once_taken<F>(
    aws: &Aws,
    at: &At,
    events: &Events,
    mut attempt: impl FnMut() -> F,
) -> Result<(), Refused>
where
    F: Future<Output = Result<(), AwsError>>,
{
    let began = Instant::now();
    loop {
        match attempt().await {
            Err(error) if is_at_work(&error) && began.elapsed() < aws.patience().changing => {
                at_rest(aws, at, &BTreeSet::new(), events).await?;
            }
            ended => return Ok(ended?),
        }
    }
}

/// Sends one ModifyDBInstance.
pub(super) async fn sent(
    aws: &Aws,
    at: &At,
    fields: Form,
    immediately: bool,
    events: &Events,
) -> Result<(), ProviderError> {
    let attempt = || {
        let fields = fields.clone();
        async move {
            let attempt = || rds::modify_instance(aws.session(), &at.region, &at.name, fields.clone(), immediately);
            wait::tried(aws, aws.patience().spreading, events, is_role_spreading, attempt).await
        }
    };
    match once_taken(aws, at, events, attempt).await {
        Err(Refused::Aws(error)) => Err(explained(error)),
        ended => Ok(ended?),
    }
}

/// Whether RDS is at something else with the instance, and takes the same later.
pub(super) fn is_at_work(error: &AwsError) -> bool {
    error.is("InvalidDBInstanceState")
}

/// Whether RDS does not know a role yet that was made a moment ago: IAM takes its time to tell everybody.
pub(super) fn is_role_spreading(error: &AwsError) -> bool {
    let words = ["ENHANCED_MONITORING", "IAM role ARN"];
    error.is("InvalidParameterValue") && words.iter().any(|word| error.message.contains(word))
}

/// What RDS refuses for a reason that passes in hours is no mistake of whoever asked.
fn explained(error: AwsError) -> ProviderError {
    if error.message.contains("being optimized") {
        let help = "RDS optimizes the last change of storage, which takes hours; run this again then";
        return ProviderError::new(ErrorKind::Conflict, error.to_string()).help(help);
    }
    error.into()
}

/// What waits and would be done with a call, although the plan says that nothing interrupts service now.
fn would_fire<'a>(call: &Modify, seen: &'a DbInstance) -> Option<&'a str> {
    let is_said = |field: &str| call.fields.iter().any(|(said, _)| said == field);
    let mut waiting = seen.pending.keys().map(String::as_str);
    waiting.find(|field| call.immediately && INTERRUPTING.contains(field) && !is_said(field))
}

fn fires(call: &Modify, waiting: &str) -> ProviderError {
    let fields: Vec<&str> = call.fields.iter().map(|(field, _)| field.as_str()).collect();
    let message = format!("changing {} now also does what waits for the window: {waiting}", fields.join(", "));
    ProviderError::new(ErrorKind::Conflict, message).help("`apply --now` does both; or wait for the maintenance window")
}

/// Fields that hold once the call is done; what is for the window does not.
fn waited_for(call: &Modify) -> BTreeSet<String> {
    let fields = call.fields.iter().map(|(field, _)| field.clone());
    fields.filter(|_| call.immediately).collect()
}
