//! A read replica: made of its source with everything said that RDS would not take from it, spread over zones, deleted before it.

use std::collections::BTreeSet;

use pgherd_core::plan::{Change, When};
use pgherd_core::resource::{Id, Impact, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};
use tokio::time::sleep;

use super::change::{self, only_ours};
use super::servers::At;
use super::{elsewhere, instance, made, request, upgrade};
use crate::api::rds::{self, DbInstance, Last};
use crate::kinds::replica;
use crate::names;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::wait;

/// Makes it, and returns when it is at rest with everything that no call takes at creation.
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
        None => made_of_source(aws, &at, resource, events).await?,
    };
    let is_new = found.as_ref().is_none_or(instance::is_being_made);
    match found {
        Some(found) => may_be_gone_on_with(&at, &found)?,
        None => sleep(aws.patience().before_first_look).await,
    }
    let seen = match at.region == aws.region() {
        true => instance::usable(aws, &at, is_new, events).await?,
        // All the data goes there first.
        false => instance::usable_of_all_data(aws, &at, is_new, events).await?,
    };
    if !is_new {
        // Somebody else made it since the plan, and somebody may use it: what it lacks is for the next plan to show.
        return Ok(());
    }
    let changes = left(resource, &seen);
    change::carry_out(aws, resource, &changes, events).await.map(drop)
}

/// What was promoted by hand keeps its name and tag, and is a database of its own: nothing of it is changed or restarted.
fn may_be_gone_on_with(at: &At, found: &DbInstance) -> Result<(), ProviderError> {
    only_ours(at, found)?;
    if found.source.is_none() {
        let message = format!("{} is no read replica any more, and a database of its own", at.name);
        let help = "rename it, or write fewer replicas: a replica of that name cannot be made beside it";
        return Err(ProviderError::new(ErrorKind::Protected, message).help(help));
    }
    Ok(())
}

async fn made_of_source(
    aws: &Aws,
    at: &At,
    resource: &Resource,
    events: &Events,
) -> Result<Option<DbInstance>, ProviderError> {
    // The source may be at its first backup still, without which there is nothing to begin with.
    let of_source = At { region: aws.region().to_owned(), name: at.block.clone(), block: at.block.clone() };
    let fields = if at.region == of_source.region {
        let source = rds::instance(aws.session(), &at.region, &at.block).await?;
        let zone = match &source {
            Some(source) => zone(source, &offered(aws, at, resource, source).await, number(&at.name)),
            None => None,
        };
        let has = |field: &str| source.as_ref().and_then(|source| source.props.get(field)?.as_int());
        let gib = has("AllocatedStorage").unwrap_or_default();
        // It would be refused, since a replica is as large as its source; the plan after it says what stands in the way.
        let is_reached = |value: &Value| value.as_int().is_some_and(|most| 10 * most < 11 * gib);
        let taken = resource.props.iter().filter(|(field, most)| *field != "MaxAllocatedStorage" || !is_reached(most));
        said(taken).set("AvailabilityZone", zone)
    } else {
        said_elsewhere(aws, at, resource).await?
    };
    let make = || {
        let (fields, of_source) = (fields.clone(), &of_source);
        async move {
            let attempt = || {
                let fields = fields.clone();
                async move {
                    let attempt = || rds::create_replica(aws.session(), &at.region, &at.name, fields.clone());
                    wait::tried(aws, aws.patience().spreading, events, change::is_role_spreading, attempt).await
                }
            };
            change::once_free(aws, of_source, events, attempt).await
        }
    };
    made::once("DBInstanceAlreadyExists", make, || rds::instance(aws.session(), &at.region, &at.name)).await
}

fn said<'a>(props: impl Iterator<Item = (&'a String, &'a Value)>) -> Form {
    request::creation(props.filter(|(field, _)| !replica::is_set_after_creation(field)))
}

/// What is said of one in a second region: with the key there, and with the permission of the source's region.
async fn said_elsewhere(aws: &Aws, at: &At, resource: &Resource) -> Result<Form, ProviderError> {
    let key = elsewhere::key(aws, &at.region, resource.props.get(KEY)).await?;
    let fields = said(resource.props.iter().filter(|(field, _)| *field != KEY)).set(KEY, key.clone());
    let asked = Form::new("CreateDBInstanceReadReplica")
        .set("DBInstanceIdentifier", &at.name)
        .set("SourceDBInstanceIdentifier", replica::source(resource))
        .set(KEY, key);
    elsewhere::permitted(aws, &at.region, asked, fields).await
}

const KEY: &str = "KmsKeyId";

/// What could not be said at creation and is not as it is wanted.
fn left(resource: &Resource, seen: &DbInstance) -> Vec<Change> {
    let live = |field: &str| seen.props.get(field).cloned().unwrap_or(Value::Null);
    let is_enough = |field: &str, wanted: &Value| match (field, wanted.as_int(), live(field).as_int()) {
        ("AllocatedStorage", Some(wanted), Some(live)) => live >= wanted,
        _ => *wanted == live(field),
    };
    let differs = |(field, wanted): &(&String, &Value)| {
        replica::is_set_after_creation(field) && !replica::is_of_source(field) && !is_enough(field, wanted)
    };
    let change = |(field, wanted): (&String, &Value)| Change {
        field: field.clone(),
        from: live(field),
        to: wanted.clone(),
        // Nobody uses it yet.
        impact: Impact::None,
        when: When::Now,
    };
    resource.props.iter().filter(differs).map(change).collect()
}

/// The number of a replica, from 1.
fn number(name: &str) -> usize {
    name.rsplit_once("-r").and_then(|(_, number)| number.parse().ok()).unwrap_or(1)
}

/// The zones in which the class of a replica is offered; none where nobody tells, or nobody may ask.
async fn offered(aws: &Aws, at: &At, resource: &Resource, source: &DbInstance) -> BTreeSet<String> {
    let text = |props: &Props, field: &str| props.get(field).and_then(Value::as_text).map(str::to_owned);
    let Some(class) = text(&resource.props, "DBInstanceClass") else { return BTreeSet::new() };
    let version = text(&source.props, "EngineVersion");
    let offers = rds::offers(aws.session(), &at.region, &class, version.as_deref()).await;
    offers.map(|offers| offers.iter().flat_map(|offer| offer.zones.clone()).collect()).unwrap_or_default()
}

/// The zone of a replica, of those that offer its class: another than its source's and, where there are enough, than the standby's; the
/// next one for each further replica.
fn zone(source: &DbInstance, offered: &BTreeSet<String>, number: usize) -> Option<String> {
    let subnets = source.subnet_group.iter().flat_map(|group| &group.subnets);
    let all: BTreeSet<&String> = subnets.map(|(_, zone)| zone).filter(|zone| !zone.is_empty()).collect();
    let with_class: BTreeSet<&String> = all.iter().filter(|zone| offered.contains(**zone)).copied().collect();
    // RDS says best why none of them will do.
    let zones = if with_class.is_empty() { all } else { with_class };
    let taken = if zones.len() > source.zones.len() { source.zones.len() } else { 1 };
    let free: Vec<&&String> =
        zones.iter().filter(|zone| !source.zones.iter().take(taken).any(|taken| taken == **zone)).collect();
    let all: Vec<&&String> = zones.iter().collect();
    let choice = if free.is_empty() { all } else { free };
    choice.get((number - 1) % choice.len().max(1)).map(|zone| zone.to_string())
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
    let left = upgrade::taken_along(aws, &at, changes, events).await?;
    let seen = change::carry_out(aws, resource, &left, events).await?;
    let source = At { name: names::source_of_replica(&at.name).unwrap_or(&at.name).to_owned(), ..at };
    instance::left_group(aws, &source, changes, &seen).await
}

/// Deletes it: it holds nothing that its source does not, and RDS takes no last snapshot of one.
pub(super) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, id);
    let seen = rds::instance(aws.session(), &at.region, &at.name).await?;
    instance::ended(aws, &at, Last::Nothing, may_be_deleted, events).await?;
    // In a second region it has groups of its own, which go with it should nobody want them and so no step delete them.
    match seen.filter(|_| at.region != aws.region()) {
        Some(seen) => instance::tidied(aws, &at, &seen).await,
        None => Ok(()),
    }
}

/// Refuses to delete what is not ours, what is protected, what others follow (PostgreSQL 14 and newer cascade), and what follows nobody
/// any more: that holds data of its own.
fn may_be_deleted(at: &At, seen: &DbInstance, _last: &Last) -> Result<(), ProviderError> {
    only_ours(at, seen)?;
    instance::only_unprotected(at, seen, "somebody protected it: turn that off in RDS, then run this again")?;
    instance::only_without_followers(at, seen)?;
    if seen.source.is_none() {
        let message = format!("{} is no read replica any more, and would be deleted without a last snapshot", at.name);
        return Err(ProviderError::new(ErrorKind::Protected, message).help("plan again"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::rds::SubnetGroup;

    #[track_caller]
    fn check(zones: &[&str], of_source: &[&str], expected: &[&str]) {
        check_offered(zones, of_source, &[], expected);
    }

    #[track_caller]
    fn check_offered(zones: &[&str], of_source: &[&str], offered: &[&str], expected: &[&str]) {
        let subnets = zones.iter().map(|zone| (format!("subnet-{zone}"), (*zone).to_owned())).collect();
        let group = SubnetGroup { name: "orders".to_owned(), arn: None, vpc: None, subnets };
        let source = DbInstance {
            zones: of_source.iter().map(|zone| (*zone).to_owned()).collect(),
            subnet_group: Some(group),
            ..wait::tests::seen("available", "in-sync", &[])
        };
        let offered = offered.iter().map(|zone| (*zone).to_owned()).collect();
        let found: Vec<_> = (1..=expected.len()).filter_map(|number| zone(&source, &offered, number)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn replicas_are_spread_over_the_other_zones() {
        check(&["a", "b", "c"], &["a"], &["b", "c", "b"]);
        check(&["a", "b", "c"], &["a", "b"], &["c", "c"]);
        check(&["a", "b"], &["a", "b"], &["b", "b"]);
        check(&["a"], &["a"], &["a"]);
    }

    #[test]
    fn where_nobody_tells_of_zones_rds_chooses() {
        assert_eq!(zone(&wait::tests::seen("available", "in-sync", &[]), &BTreeSet::new(), 1), None);
    }

    #[test]
    fn a_zone_without_the_class_gets_no_replica() {
        check_offered(&["a", "b", "c"], &["a"], &["a", "b"], &["b", "b"]);
        check_offered(&["a", "b", "c"], &["a"], &["c", "d"], &["c", "c"]);
        check_offered(&["a", "b"], &["a"], &["a"], &["a"]);
    }
}
