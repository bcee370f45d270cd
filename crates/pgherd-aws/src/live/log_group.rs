//! Log groups. RDS names them, so whatever has one of these names is of that instance; none is ever deleted.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::made;
use super::ours::{self, Retagging};
use crate::api::logs::{self, LogGroup};
use crate::kinds::log_group::NAME;
use crate::kinds::tags;
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

const RETENTION: &str = "retentionInDays";

/// What logs for ever: more days than anybody asks for.
const FOR_EVER: i64 = i64::MAX;

/// The log groups there are of the instances whose logs are wanted, one question for each region.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let mut regions: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    for resource in ours::of_kind(wanted, NAME) {
        let (region, name) = names::place(NAME, &resource.id.name);
        regions.entry(region).or_default().push(name);
    }
    let looks = regions.iter().map(|(region, wanted)| async move {
        let asked = region.as_deref().unwrap_or(aws.region());
        let found = logs::groups(aws.session(), asked, common_start(wanted)).await?;
        let of_ours = found.iter().filter(|group| is_of_one_of(&group.name, wanted));
        Ok::<_, AwsError>(of_ours.map(|group| observed(region.as_deref(), group)).collect::<Vec<_>>())
    });
    Ok(try_join_all(looks).await?.concat())
}

/// Makes a log group that keeps what is logged for a while rather than for ever.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    let (region, name) = place(aws, &resource.id);
    let look = || find(aws, &region, &name);
    let found = match look().await? {
        Some(found) => Some(found),
        None => {
            let given = tags::sent(&resource.props);
            let make = || logs::create(aws.session(), &region, &name, &given);
            made::once("ResourceAlreadyExistsException", make, look).await?
        }
    };
    let kept = found.map_or(Value::Null, |group| retention(&group));
    let wanted = resource.props.get(RETENTION).and_then(Value::as_int);
    match wanted.filter(|days| kept.as_int().is_none_or(|kept| kept < *days)) {
        Some(days) => Ok(logs::retain(aws.session(), &region, &name, days).await?),
        None => Ok(()),
    }
}

/// Keeps what is logged for longer.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    let (region, name) = place(aws, &resource.id);
    let days = changes.iter().find(|change| change.field == RETENTION).and_then(|change| change.to.as_int());
    match days {
        Some(days) => Ok(logs::retain(aws.session(), &region, &name, days).await?),
        None => Ok(()),
    }
}

/// Never: what was logged may be wanted after the database is gone.
#[expect(clippy::unused_async, reason = "as the other kinds have it")]
pub(crate) async fn delete(_aws: &Aws, id: &Id, _how: &Deletion, _events: &Events) -> Result<(), ProviderError> {
    let (_, name) = names::place(NAME, &id.name);
    let help = format!("`aws logs delete-log-group --log-group-name {name}` does");
    Err(ProviderError::new(ErrorKind::Protected, "pgherd deletes no logs").help(help))
}

/// Gives the log groups of an instance other tags.
pub(crate) async fn retag(aws: &Aws, region: &str, instance: &str, retagging: &Retagging) -> Result<(), ProviderError> {
    let session = aws.session();
    for group in logs::groups(session, region, &names::log_groups(instance)).await? {
        retagging
            .carry(
                || logs::tag(session, region, &group.arn, &retagging.set),
                || logs::untag(session, region, &group.arn, &retagging.removed),
            )
            .await?;
    }
    Ok(())
}

fn place(aws: &Aws, id: &Id) -> (String, String) {
    let (region, name) = names::place(NAME, &id.name);
    (region.unwrap_or_else(|| aws.region().to_owned()), name)
}

async fn find(aws: &Aws, region: &str, name: &str) -> Result<Option<LogGroup>, AwsError> {
    let found = logs::groups(aws.session(), region, name).await?;
    Ok(found.into_iter().find(|group| group.name == name))
}

/// What the names of all begin with: those of one database, and perhaps of others whose names begin like its.
fn common_start(names: &[String]) -> &str {
    let Some(first) = names.first() else { return "" };
    let shared = |other: &String| first.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let length = names.iter().map(shared).min().unwrap_or_default();
    first.get(..length).unwrap_or_default()
}

/// Whether a group is of an instance that logs of are wanted, another kind of log included.
fn is_of_one_of(name: &str, wanted: &[String]) -> bool {
    let of = |name: &str| name.rsplit_once('/').map(|(instance, _)| instance.to_owned());
    wanted.iter().any(|wanted| of(wanted) == of(name))
}

fn observed(region: Option<&str>, group: &LogGroup) -> Observed {
    let name = region.map_or_else(|| group.name.clone(), |region| names::elsewhere(region, &group.name));
    let props = Props::from([(RETENTION.to_owned(), retention(group))]);
    ours::seen(&Id::new(NAME, name), props, Status::Available)
}

/// What was logged is never thrown away for a setting: a group that keeps it for ever is left so, unless nothing is in it yet.
fn retention(group: &LogGroup) -> Value {
    match group.retention_days {
        Some(days) => Value::Int(days),
        None if group.stored_bytes == 0 => Value::Null,
        None => Value::Int(FOR_EVER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(retention_days: Option<i64>, stored_bytes: i64) -> LogGroup {
        LogGroup { name: String::new(), arn: String::new(), retention_days, stored_bytes }
    }

    #[test]
    fn logs_that_are_kept_for_ever_are_no_drift_once_there_are_some() {
        assert_eq!(retention(&group(Some(7), 10)), Value::Int(7));
        assert_eq!(retention(&group(None, 0)), Value::Null);
        assert_eq!(retention(&group(None, 10)), Value::Int(FOR_EVER));
    }

    #[test]
    fn one_question_finds_the_groups_of_all_servers_and_of_nobody_else() {
        let wanted =
            ["/aws/rds/instance/orders/postgresql", "/aws/rds/instance/orders-r1/postgresql"].map(str::to_owned);
        assert_eq!(common_start(&wanted), "/aws/rds/instance/orders");
        assert!(is_of_one_of("/aws/rds/instance/orders/upgrade", &wanted));
        assert!(!is_of_one_of("/aws/rds/instance/orders-eu/postgresql", &wanted));
        assert_eq!(common_start(&[]), "");
    }
}
