//! What comes before another version: within a major the replicas get it first, and before another major there is a snapshot to go back
//! to.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgherd_core::plan::{Change, When};
use pgherd_core::value::{Props, Value};
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use tokio::time::{Instant, sleep};

use super::change::{at_rest, once_taken, sent};
use super::modify::{self, Modify};
use super::servers::At;
use super::{made, request, waiting};
use crate::api::rds::{self, DbInstance, Taken};
use crate::kinds::{replica, tags};
use crate::names;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::wait;

/// How old a snapshot may be that was taken for the same upgrade.
const RECENT: SignedDuration = SignedDuration::from_mins(15);

/// When a snapshot was begun, as its name says it.
const WRITTEN: &str = "%Y%m%dt%H%M%Sz";

/// Changes without a version that is there already: a replica gets it with its source's step, before that or along with it.
pub(super) fn left(changes: &[Change], seen: &DbInstance) -> Vec<Change> {
    let is_there = |change: &Change| {
        let is_for_window = matches!(change.when, When::Window { .. });
        change.field == "EngineVersion" && has(seen, &change.to, is_for_window)
    };
    changes.iter().filter(|change| !is_there(change)).cloned().collect()
}

/// Whether it runs a version or a later one of its major, or has accepted it for the window.
pub(super) fn has(seen: &DbInstance, version: &Value, for_window: bool) -> bool {
    let parsed = |value: &Value| Version::parse(value.as_text()?);
    let is_enough = |props: &Props| {
        let found = props.get("EngineVersion").and_then(parsed);
        found.zip(parsed(version)).is_some_and(|(found, wanted)| found.major == wanted.major && found >= wanted)
    };
    is_enough(&seen.props) || for_window && is_enough(&seen.pending)
}

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
        // RDS takes the replicas along. A snapshot for the window would be out of date by then; RDS takes one of its own.
        Some(version) if request::is_major(version, seen) && call.immediately => {
            kept(aws, at, seen, version, events).await
        }
        Some(version) if request::is_major(version, seen) => Ok(()),
        Some(version) => replicas_first(aws, at, seen, (version, call.immediately), events).await,
        None => Ok(()),
    }
}

/// Takes a snapshot of what there is before another major, unless a run that was cut short just did. RDS itself takes one only where
/// backups are kept.
async fn kept(aws: &Aws, at: &At, seen: &DbInstance, version: &Value, events: &Events) -> Result<(), ProviderError> {
    let major = version.as_text().and_then(Version::parse).map(|version| version.major).unwrap_or_default();
    let now = Timestamp::now();
    let before = format!("{}-before-{major}-", at.name);
    let taken = rds::snapshots_taken(aws.session(), &at.region, &at.name).await?;
    if let Some((began, recent)) = recent(&taken, &at.block, &before, now) {
        wait::say(events, format!("the snapshot {recent} holds what there was at {began}, and is there to go back to"));
        return wait::snapshot(aws, &at.region, recent, events).await;
    }
    let name = format!("{before}{}", now.strftime(WRITTEN));
    wait::say(events, format!("the snapshot {name} is taken first"));
    let tags = tags::of_snapshot(&seen.tags, seen.props.get("CopyTagsToSnapshot") == Some(&Value::Bool(true)));
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

/// The newest snapshot of ours that was taken for the same upgrade a moment ago, by the time in its name, and that time.
fn recent<'a>(taken: &'a [Taken], block: &str, before: &str, now: Timestamp) -> Option<(Timestamp, &'a str)> {
    let is_good = |one: &&Taken| matches!(one.status.as_str(), "available" | "creating");
    let recent = taken.iter().filter(is_good).filter(|one| tags::are_ours(&one.tags, block)).filter_map(|one| {
        let began = DateTime::strptime(WRITTEN, one.name.strip_prefix(before)?).ok()?;
        let began = began.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let age = now.duration_since(began);
        // One of much data may still be made of an upgrade that was cut short hours ago.
        let is_recent = age <= RECENT || one.status == "creating";
        (age >= SignedDuration::ZERO && is_recent).then_some((began, one.name.as_str()))
    });
    recent.max()
}

/// Upgrades the replicas of a block before its instance (Amazon RDS User Guide, "Upgrading the RDS for PostgreSQL DB engine").
async fn replicas_first(
    aws: &Aws,
    at: &At,
    seen: &DbInstance,
    (version, immediately): (&Value, bool),
    events: &Events,
) -> Result<(), ProviderError> {
    let Some(text) = version.as_text() else { return Ok(()) };
    let mut behind = Vec::new();
    for name in &seen.replicas {
        let follower = follower(at, name);
        let Some(replica) = rds::instance(aws.session(), &follower.region, &follower.name).await? else { continue };
        match turn(&replica, &at.block, version, immediately)? {
            Turn::First => behind.push(follower),
            Turn::SomebodyElses => wait::say(events, format!("{name} is not pgherd's, and keeps its version")),
            Turn::Over => {}
        }
    }
    for replica in behind {
        wait::say(events, format!("{} is upgraded before its source", replica.name));
        sent(aws, &replica, Form::part().set("EngineVersion", text), immediately, events).await?;
        let changed = BTreeSet::from_iter(immediately.then(|| "EngineVersion".to_owned()));
        at_rest(aws, &replica, &changed, events).await?;
    }
    Ok(())
}

/// Where a replica is: those of another region are told by their ARNs, `arn:aws:rds:eu-west-1:123456789012:db:orders-dr`.
fn follower(at: &At, told: &str) -> At {
    let parts: Vec<&str> = told.split(':').collect();
    match parts.as_slice() {
        ["arn", _, _, region, _, _, name] => {
            At { region: (*region).to_owned(), name: (*name).to_owned(), block: at.block.clone() }
        }
        _ => At { name: told.to_owned(), ..at.clone() },
    }
}

/// What a minor upgrade of its source means for a replica.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It is upgraded before its source.
    First,
    /// It has that version.
    Over,
    /// It is left alone.
    SomebodyElses,
}

fn turn(seen: &DbInstance, block: &str, version: &Value, immediately: bool) -> Result<Turn, ProviderError> {
    let follows = [names::source_of_replica(&seen.id), names::source_of_recovery(&seen.id)];
    if !follows.contains(&Some(block)) || !tags::are_ours(&seen.tags, block) {
        return Ok(Turn::SomebodyElses);
    }
    if has(seen, version, !immediately) {
        return Ok(Turn::Over);
    }
    // An upgrade now is one that was asked for with `--now`, or in an open window: the first has what waits at the replica in its own
    // step, the second brings it anyhow. Of what pgherd never does neither holds.
    let is_asked_for = |field: &str| waiting::is_planned(&replica::KIND, field);
    match waiting::interrupting(seen).find(|field| !is_asked_for(field) && immediately) {
        Some(field) => {
            let message = format!("upgrading {} now also does what waits for the window: {field}", seen.id);
            let help = "pgherd did not ask for that and never does it: wait for the maintenance window, or have RDS do it first";
            Err(ProviderError::new(ErrorKind::Conflict, message).help(help))
        }
        None => Ok(Turn::First),
    }
}

/// What of the changes of a replica is left once RDS has taken it along to another major of its source, which is waited for. For the
/// window that is all RDS's.
pub(super) async fn taken_along(
    aws: &Aws,
    at: &At,
    changes: &[Change],
    events: &Events,
) -> Result<Vec<Change>, ProviderError> {
    let Some(upgrade) = changes.iter().find(|change| modify::is_major(change)) else { return Ok(changes.to_vec()) };
    let is_with_it = |change: &&Change| ["EngineVersion", "DBParameterGroupName"].contains(&change.field.as_str());
    if upgrade.when != When::Now {
        return Ok(changes.iter().filter(|change| !is_with_it(change)).cloned().collect());
    }
    let began = Instant::now();
    loop {
        let seen = at_rest(aws, at, &BTreeSet::new(), events).await?;
        if has(&seen, &upgrade.to, false) {
            let is_left = |change: &&Change| {
                !is_with_it(change) || seen.props.get(&change.field).is_none_or(|live| *live != change.to)
            };
            return Ok(left(changes, &seen).iter().filter(is_left).cloned().collect());
        }
        if began.elapsed() >= aws.patience().telling {
            let message = format!("RDS has not taken {} along to version {}", at.name, upgrade.to);
            let help =
                "RDS upgrades the replicas of an instance with it; `aws rds describe-events` says what went wrong";
            return Err(ProviderError::new(ErrorKind::Conflict, message).help(help));
        }
        sleep(aws.patience().between_looks).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pgherd_core::resource::Impact;

    use super::*;

    /// A replica of `orders` that runs one version and has accepted another.
    fn replica(runs: &str, accepted: &str) -> DbInstance {
        let mut seen = wait::tests::seen("available", "in-sync", &[]);
        seen.id = "orders-r1".to_owned();
        seen.tags.insert("pgherd:block".to_owned(), "orders".to_owned());
        seen.props.insert("EngineVersion".to_owned(), runs.into());
        if !accepted.is_empty() {
            seen.pending.insert("EngineVersion".to_owned(), accepted.into());
        }
        seen
    }

    #[track_caller]
    fn check(seen: &DbInstance, version: &str, immediately: bool, expected: &str) {
        let found = match turn(seen, "orders", &version.into(), immediately) {
            Ok(turn) => format!("{turn:?}"),
            Err(error) => error.message,
        };
        assert_eq!(found, expected, "{version}");
    }

    #[test]
    fn a_replica_goes_first_unless_it_is_there() {
        check(&replica("16.10", ""), "16.13", true, "First");
        check(&replica("16.13", ""), "16.13", true, "Over");
        check(&replica("16.14", ""), "16.13", true, "Over");
        check(&replica("16.9", ""), "16.13", true, "First");
        check(&replica("16.10", "16.13"), "16.13", true, "First");
        check(&replica("16.10", "16.13"), "16.13", false, "Over");
    }

    #[test]
    fn a_replica_of_somebody_else_is_left_alone() {
        check(&DbInstance { id: "reports".to_owned(), ..replica("16.10", "") }, "16.13", true, "SomebodyElses");
        check(&DbInstance { tags: BTreeMap::new(), ..replica("16.10", "") }, "16.13", true, "SomebodyElses");
    }

    #[test]
    fn what_waits_at_a_replica_is_not_set_off_unless_pgherd_asked_for_it() {
        let with = |field: &str| {
            let mut seen = replica("16.10", "");
            seen.pending.insert(field.to_owned(), "x".into());
            seen
        };
        check(&with("DBInstanceClass"), "16.13", true, "First");
        let refused = "upgrading orders-r1 now also does what waits for the window: CACertificateIdentifier";
        check(&with("CACertificateIdentifier"), "16.13", true, refused);
        check(&with("CACertificateIdentifier"), "16.13", false, "First");
    }

    #[track_caller]
    fn check_left(seen: &DbInstance, to: &str, when: &When, expected: bool) {
        let change = |field: &str| Change {
            field: field.to_owned(),
            from: Value::Null,
            to: to.into(),
            impact: Impact::None,
            when: when.clone(),
        };
        let left = left(&[change("EngineVersion"), change("DBInstanceClass")], seen);
        let fields: Vec<&str> = left.iter().map(|change| change.field.as_str()).collect();
        let all = ["EngineVersion", "DBInstanceClass"];
        assert_eq!(fields, if expected { &all[..] } else { &all[1..] });
    }

    #[test]
    fn a_version_that_is_there_is_no_change_any_more() {
        let window = || When::Window { opens: Timestamp::UNIX_EPOCH };
        check_left(&replica("16.10", ""), "16.13", &When::Now, true);
        check_left(&replica("16.13", ""), "16.13", &When::Now, false);
        check_left(&replica("16.10", "16.13"), "16.13", &When::Now, true);
        check_left(&replica("16.10", "16.13"), "16.13", &window(), false);
        check_left(&replica("16.13", ""), "17.7", &When::Now, true);
    }

    const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

    #[track_caller]
    fn check_recent(taken: &[(&str, &str, &str)], expected: Option<&str>) {
        let taken: Vec<Taken> = taken
            .iter()
            .map(|(name, status, block)| Taken {
                name: (*name).to_owned(),
                status: (*status).to_owned(),
                tags: BTreeMap::from([("pgherd:block".to_owned(), (*block).to_owned())]),
            })
            .collect();
        let found = recent(&taken, "orders", "orders-before-17-", NOW).map(|(_, name)| name);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_snapshot_of_a_run_that_was_just_cut_short_is_as_good() {
        let (older, newer) = ("orders-before-17-20251231t234600z", "orders-before-17-20251231t235900z");
        check_recent(&[(newer, "available", "orders"), (older, "available", "orders")], Some(newer));
        check_recent(&[(newer, "failed", "orders"), (older, "creating", "orders")], Some(older));
        check_recent(&[(newer, "available", "others")], None);
        check_recent(&[("orders-before-17-20251231t234400z", "available", "orders")], None);
        check_recent(
            &[("orders-before-17-20251231t214400z", "creating", "orders")],
            Some("orders-before-17-20251231t214400z"),
        );
        check_recent(&[("orders-before-17-20260101t000001z", "available", "orders")], None);
        check_recent(&[("orders-before-16-20251231t235900z", "available", "orders")], None);
        check_recent(&[("orders-before-17-by-hand", "available", "orders")], None);
    }
}
