//! What comes before another version: within a major the replicas get it first, and before another major there is a snapshot to go back
//! to.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgherd_core::value::{Props, Value};
use pgherd_core::version::Version;
use pgherd_engine::provider::{Events, ProviderError};

use super::change::{at_rest, once_taken, sent};
use super::made;
use super::modify::Modify;
use super::request;
use super::servers::At;
use crate::api::rds::{self, DbInstance};
use crate::kinds::tags;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::wait;

/// Prepares a call that brings another version; nothing for any other call.
pub(super) async fn prepared(
    aws: &Aws,
    at: &At,
    seen: &DbInstance,
    call: &Modify,
    events: &Events,
) -> Result<(), ProviderError> {
    let version = call.fields.iter().find(|(field, _)| field == "EngineVersion").map(|(_, version)| version);
    match version {
        // RDS takes the replicas along.
        Some(version) if request::is_major(version, seen) => kept(aws, at, version, events).await,
        Some(version) => replicas_first(aws, at, seen, (version, call.immediately), events).await,
        None => Ok(()),
    }
}

/// Takes a snapshot of what there is before another major. RDS itself takes one only where backups are kept.
async fn kept(aws: &Aws, at: &At, version: &Value, events: &Events) -> Result<(), ProviderError> {
    let major = version.as_text().and_then(Version::parse).map(|version| version.major).unwrap_or_default();
    let name = format!("{}-before-{major}-{}", at.name, Timestamp::now().strftime("%Y%m%dt%H%M%Sz"));
    wait::say(events, format!("the snapshot {name} is taken first"));
    let tags = [(tags::BLOCK.to_owned(), at.block.clone())];
    let make = || {
        let (name, tags) = (&name, &tags);
        async move {
            let attempt = || rds::create_snapshot(aws.session(), &at.region, name, &at.name, tags);
            once_taken(aws, at, events, attempt).await
        }
    };
    let look = || rds::snapshot_status(aws.session(), &at.region, &name);
    made::once("DBSnapshotAlreadyExists", make, look).await?;
    wait::snapshot(aws, &at.region, &name, events).await
}

/// Upgrades the replicas of an instance before itself (Amazon RDS User Guide, "Upgrading the RDS for PostgreSQL DB engine").
async fn replicas_first(
    aws: &Aws,
    at: &At,
    seen: &DbInstance,
    (version, immediately): (&Value, bool),
    events: &Events,
) -> Result<(), ProviderError> {
    let Some(text) = version.as_text() else { return Ok(()) };
    // Those of another region are told by their ARNs, and upgraded there.
    for replica in seen.replicas.iter().filter(|replica| !replica.starts_with("arn:")) {
        let at = At { name: replica.clone(), ..at.clone() };
        let Some(seen) = rds::instance(aws.session(), &at.region, &at.name).await? else { continue };
        let has = |props: &Props| props.get("EngineVersion") == Some(version);
        if has(&seen.props) || (!immediately && has(&seen.pending)) {
            continue;
        }
        wait::say(events, format!("{replica} is upgraded before its source"));
        sent(aws, &at, Form::part().set("EngineVersion", text), immediately, events).await?;
        let changed = BTreeSet::from_iter(immediately.then(|| "EngineVersion".to_owned()));
        at_rest(aws, &at, &changed, events).await?;
    }
    Ok(())
}
