//! Changes of an instance or a replica: one call after another, each waited for, so that every half-way point is one to stay at.

use std::collections::BTreeSet;
use std::future::Future;

use jiff::Timestamp;
use pgherd_core::plan::Change;
use pgherd_core::resource::Resource;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use tokio::time::{Instant, sleep};

use super::made::Refused;
use super::modify::{self, Modify};
use super::servers::At;
use super::{request, spelling, tagged, upgrade, waiting};
use crate::api::rds::{self, DbInstance};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::wait::{self, Rest, WAITS_FOR_RESTART};

/// Carries out the changes of an instance or a replica, and says how it is then. Nothing is sent when a call would set off what is not
/// among the changes and waits.
pub(super) async fn carry_out(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let at = At::of(aws, &resource.id);
    let mut seen = ours(aws, &at).await?;
    let changes = upgrade::left(changes, &seen);
    let calls = modify::calls(&changes, seen.status == "storage-full");
    calls.iter().try_for_each(|call| waiting::refused(call, &changes, &seen, Timestamp::now()))?;
    tagged::carry(aws, &at, &seen, &changes, events).await?;
    for call in calls {
        // Somebody else may have asked for something meanwhile.
        waiting::refused(&call, &changes, &seen, Timestamp::now())?;
        upgrade::prepared(aws, &at, &seen, &call, events).await?;
        let Some(fields) = request::modification(&call, resource, &seen) else { continue };
        sent(aws, &at, fields, call.immediately, events).await?;
        seen = in_force(aws, &at, &call, events).await?;
        if call.reboot {
            seen = restart_where_it_waits(aws, &at, events).await?;
        }
    }
    Ok(seen)
}

/// Waits until a call has done what it was sent for. That RDS has not begun yet looks like that it gave up, for a while.
async fn in_force(aws: &Aws, at: &At, call: &Modify, events: &Events) -> Result<DbInstance, ProviderError> {
    let began = Instant::now();
    loop {
        let seen = at_rest(aws, at, &waited_for(call), events).await?;
        let Some((field, wanted)) = given_up(call, &seen) else { return Ok(seen) };
        if began.elapsed() >= aws.patience().telling {
            return Err(came_to_nothing(aws, at, &seen, field, wanted).await);
        }
        sleep(aws.patience().between_looks).await;
    }
}

/// What RDS took and then gave up, with what it should be: where a class has no room or an upgrade fails its own check beforehand,
/// the instance is available again as it was, and nothing but its events say so.
fn given_up<'c>(call: &'c Modify, seen: &DbInstance) -> Option<(&'c str, &'c Value)> {
    let is_as_it_was = |field: &str, wanted: &Value| match field {
        "EngineVersion" => !upgrade::has(seen, wanted, false),
        "DBInstanceClass" | "StorageType" => seen.props.get(field).is_some_and(|live| live != wanted),
        _ => false,
    };
    let mut fields = call.fields.iter().filter(|_| !call.is_for_window);
    fields.find(|(field, wanted)| is_as_it_was(field, wanted)).map(|(field, wanted)| (field.as_str(), wanted))
}

async fn came_to_nothing(aws: &Aws, at: &At, seen: &DbInstance, field: &str, wanted: &Value) -> ProviderError {
    let told = wait::happened(aws, &at.region, &at.name).await;
    let live = seen.props.get(field).map_or_else(|| "none".to_owned(), Value::to_string);
    let message = format!(
        "RDS took the change of {field} to {wanted}, and {} has {live} as before; what RDS told in the last hour: {told}",
        at.name
    );
    let help = match field {
        "EngineVersion" => {
            "`pgherd logs` shows pg_upgrade's own check (pg_upgrade_precheck.log); mend what it found, then run this again"
        }
        _ => "run this again later, or write another one",
    };
    ProviderError::new(ErrorKind::Conflict, message).help(help)
}

/// The instance, when it is there and ours.
pub(crate) async fn ours(aws: &Aws, at: &At) -> Result<DbInstance, ProviderError> {
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
pub(crate) async fn at_rest(
    aws: &Aws,
    at: &At,
    changed: &BTreeSet<String>,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let rest = Rest { region: &at.region, id: &at.name, at_most: aws.patience().changing, changed };
    wait::settled(aws, &rest, events).await
}

/// Restarts it where its settings wait for that. What RDS says of them lags behind what was done to them.
pub(super) async fn restart_where_it_waits(aws: &Aws, at: &At, events: &Events) -> Result<DbInstance, ProviderError> {
    let seen = settings(aws, at, |word| word == WAITS_FOR_RESTART, events).await?;
    if seen.settings == WAITS_FOR_RESTART {
        wait::say(events, format!("{} is restarted", at.name));
        return restart(aws, at, events).await;
    }
    let message = "RDS does not say that it waits for a restart, so it is not restarted; `apply --now` looks again";
    wait::say(events, format!("{}: {message}", at.name));
    Ok(seen)
}

/// Restarts it, once it takes that, until its settings are in force. One restart is enough: that RDS does not say so yet is no reason
/// for another one.
pub(crate) async fn restart(aws: &Aws, at: &At, events: &Events) -> Result<DbInstance, ProviderError> {
    for _ in 0..2 {
        let attempt = || rds::reboot(aws.session(), &at.region, &at.name);
        let is_heard = match once_taken(aws, at, events, attempt).await {
            // A lost answer leaves open whether it was heard: the settings tell.
            Err(Refused::Aws(error)) if error.maybe_done => false,
            ended => {
                ended?;
                true
            }
        };
        let seen = settings(aws, at, |word| word != WAITS_FOR_RESTART, events).await?;
        if seen.settings != WAITS_FOR_RESTART {
            return Ok(seen);
        }
        if is_heard {
            break;
        }
    }
    let message = format!("{} was restarted, and RDS still says that its settings wait for a restart", at.name);
    let help = "it is not restarted once more; plan again in some minutes to see whether they do";
    Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
}

/// Looks until what RDS says of the settings is as expected, or has had time enough to become so.
async fn settings(
    aws: &Aws,
    at: &At,
    is_expected: impl Fn(&str) -> bool,
    events: &Events,
) -> Result<DbInstance, ProviderError> {
    let changed = BTreeSet::new();
    let rest = Rest { region: &at.region, id: &at.name, at_most: aws.patience().changing, changed: &changed };
    wait::settings(aws, &rest, is_expected, events).await
}

/// So often RDS may refuse an instance that is at rest with the same words: then it is not for something that passes.
const SAME_WORDS: usize = 2;

/// Asks as soon as RDS takes it: while it is at something else with an instance, that is waited for.
pub(crate) async fn once_taken<F>(
    aws: &Aws,
    at: &At,
    events: &Events,
    attempt: impl FnMut() -> F,
) -> Result<(), Refused>
where
    F: Future<Output = Result<(), AwsError>>,
{
    taken(aws, at, events, |_| SAME_WORDS, attempt).await
}

/// So many replicas an instance has at most, so that many may be made of it before it is the last one's turn.
const TURNS: usize = 15;

/// The same where others of ours are at work with it, one after another, each of which is refused with the same words until it is its turn.
pub(super) async fn once_free<F>(aws: &Aws, at: &At, events: &Events, attempt: impl FnMut() -> F) -> Result<(), Refused>
where
    F: Future<Output = Result<(), AwsError>>,
{
    taken(aws, at, events, turns, attempt).await
}

/// How often the same words are heard before they are final: where they are about what the instance is doing, until it was everybody's turn.
fn turns(words: &str) -> usize {
    let is_about_work = ["available", " state", " status", "progress"].iter().any(|word| words.contains(word));
    if is_about_work { TURNS } else { SAME_WORDS }
}

async fn taken<F>(
    aws: &Aws,
    at: &At,
    events: &Events,
    at_most: impl Fn(&str) -> usize,
    mut attempt: impl FnMut() -> F,
) -> Result<(), Refused>
where
    F: Future<Output = Result<(), AwsError>>,
{
    let began = Instant::now();
    let (mut words, mut same) = (String::new(), 0);
    loop {
        match attempt().await {
            Err(error) if is_at_work(&error) && began.elapsed() < aws.patience().changing => {
                same = if error.message == words { same + 1 } else { 0 };
                if same >= at_most(&error.message) {
                    return Err(error.into());
                }
                words.clone_from(&error.message);
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

/// Fields that hold once the call is done; what is for the window does not.
fn waited_for(call: &Modify) -> BTreeSet<String> {
    let fields = call.fields.iter().map(|(field, _)| field.clone());
    fields.filter(|_| !call.is_for_window).collect()
}
