//! Alarms. Their descriptions do not tell their tags, so those are read only where name, metric and words leave a doubt.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::left;
use super::ours::{self, Retagging};
use super::servers::At;
use crate::alarms;
use crate::api::cloudwatch::{self, Alarm};
use crate::kinds::alarm::{DIMENSION, NAME, WORDS};
use crate::kinds::{instance, replica, tags, topic};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// The alarms of a database's servers, wanted or not any more; in a second region where some are wanted there.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let home = ours::database(wanted).map(|database| (None, database.to_owned()));
    let there = ours::of_kind(wanted, NAME).filter_map(|one| {
        let (region, name) = names::place(NAME, &one.id.name);
        Some((Some(region?), database_elsewhere(&name)?.to_owned()))
    });
    let places: BTreeSet<(Option<String>, String)> = home.into_iter().chain(there).collect();
    let looks = places.iter().map(|(region, database)| in_region(aws, region.as_deref(), database, wanted));
    Ok(try_join_all(looks).await?.concat())
}

async fn in_region(
    aws: &Aws,
    elsewhere: Option<&str>,
    database: &str,
    wanted: &[Resource],
) -> Result<Vec<Observed>, AwsError> {
    let region = elsewhere.unwrap_or(aws.region());
    let id = |name: &str| Id::new(NAME, elsewhere.map_or(name.to_owned(), |region| names::elsewhere(region, name)));
    let is_wanted = |name: &str| wanted.iter().any(|one| one.id == id(name));
    let prefix = if elsewhere.is_some() { names::recovery(database) } else { database.to_owned() };
    let found = cloudwatch::alarms(aws.session(), region, &names::alarm(&prefix, "")).await?;
    let told = found.iter().filter_map(|alarm| Some((alarm, server(&alarm.name, database, elsewhere.is_some())?)));
    let looks = told.map(|(alarm, server)| async move {
        let wanted = is_wanted(&alarm.name);
        let is_ours =
            (wanted && is_beyond_doubt(alarm, &server)) || wears_our_tag(aws, region, alarm, database).await?;
        // What nobody wants and is not ours has nothing to do with this database.
        Ok::<_, AwsError>((wanted || is_ours).then(|| {
            let needs = needs(database, &server, elsewhere);
            Observed { needs, ..observed(&id(&alarm.name), alarm, is_ours) }
        }))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// Where an alarm is, and what CloudWatch calls it.
struct Place {
    region: String,
    name: String,
    is_elsewhere: bool,
}

impl Place {
    fn of(aws: &Aws, id: &Id) -> Self {
        let (region, name) = names::place(NAME, &id.name);
        Self { is_elsewhere: region.is_some(), region: region.unwrap_or_else(|| aws.region().to_owned()), name }
    }
}

/// Makes an alarm.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    put(aws, resource).await
}

/// Has it watch what is wanted: an alarm is always put whole.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    _changes: &[Change],
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    put(aws, resource).await
}

/// Takes an alarm away.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, _events: &Events) -> Result<(), ProviderError> {
    let place = Place::of(aws, id);
    let Some(there) = find(aws, &place).await? else { return Ok(()) };
    if !is_ours(aws, &place, &there).await? {
        return Err(ours::foreign(id));
    }
    let at_work = left::before_deletion(aws, id, &there).await?;
    cloudwatch::delete_alarm(aws.session(), &place.region, &place.name).await?;
    match at_work {
        Some(at_work) => at_work.ended(aws).await,
        None => Ok(()),
    }
}

/// Gives all alarms of a database in a region other tags.
pub(crate) async fn retag(aws: &Aws, at: &At, retagging: &Retagging) -> Result<(), ProviderError> {
    let (session, region, is_elsewhere) = (aws.session(), &at.region, at.region != aws.region());
    let found = cloudwatch::alarms(session, region, &names::alarm(&at.name, "")).await?;
    for alarm in found.iter().filter(|alarm| server(&alarm.name, &at.block, is_elsewhere).is_some()) {
        if !wears_our_tag(aws, region, alarm, &at.block).await? {
            continue;
        }
        retagging
            .carry(
                || cloudwatch::tag(session, region, &alarm.arn, &retagging.set),
                || cloudwatch::untag(session, region, &alarm.arn, &retagging.removed),
            )
            .await?;
    }
    Ok(())
}

async fn put(aws: &Aws, resource: &Resource) -> Result<(), ProviderError> {
    let mut alarm = alarm(resource).ok_or_else(|| {
        let message = format!("{} has a field whose value nobody knows", resource.id);
        ProviderError::new(ErrorKind::Invalid, message).help("write the value of what alarm_targets refers to")
    })?;
    let place = Place::of(aws, &resource.id);
    // A name says nothing about whose an alarm is, and putting one overwrites it.
    if let Some(there) = find(aws, &place).await? {
        if !is_ours(aws, &place, &there).await? {
            return Err(ours::foreign(&resource.id));
        }
        // A put is of the whole alarm; whom somebody else has told of the good end of it is none of ours.
        (alarm.ok_actions, alarm.unknown_actions) = (there.ok_actions, there.unknown_actions);
    }
    Ok(cloudwatch::put_alarm(aws.session(), &place.region, &alarm, &tags::sent(&resource.props)).await?)
}

async fn find(aws: &Aws, place: &Place) -> Result<Option<Alarm>, AwsError> {
    let found = cloudwatch::alarms(aws.session(), &place.region, &place.name).await?;
    Ok(found.into_iter().find(|alarm| alarm.name == place.name))
}

/// Whether an alarm is of the database that its tags name.
async fn is_ours(aws: &Aws, place: &Place, alarm: &Alarm) -> Result<bool, AwsError> {
    let worn = cloudwatch::tags(aws.session(), &place.region, &alarm.arn).await?;
    Ok(ours::is(&worn, |database| server(&alarm.name, database, place.is_elsewhere).is_some()))
}

async fn wears_our_tag(aws: &Aws, region: &str, alarm: &Alarm, database: &str) -> Result<bool, AwsError> {
    let worn = cloudwatch::tags(aws.session(), region, &alarm.arn).await?;
    Ok(ours::is(&worn, |block| block == database))
}

/// The server that an alarm of this name would be of: `orders-r1-cpu` is of a replica, `orders-eu-cpu` of nobody here.
fn server(alarm: &str, database: &str, is_elsewhere: bool) -> Option<String> {
    let about = |server: &String| alarms::ABOUT.iter().any(|about| names::alarm(server, about) == alarm);
    let servers = if is_elsewhere { vec![names::recovery(database)] } else { names::instances(database) };
    servers.into_iter().find(about)
}

/// The database that an alarm in a second region is of: `orders` of `orders-dr-cpu`.
fn database_elsewhere(alarm: &str) -> Option<&str> {
    let of = |about: &&str| names::source_of_recovery(alarm.strip_suffix(about)?.strip_suffix('-')?);
    alarms::ABOUT.iter().find_map(of)
}

/// What goes after an alarm: whom it watches, and whom it tells. The instance itself tells of what is in a second region.
fn needs(database: &str, server: &str, elsewhere: Option<&str>) -> Vec<Id> {
    let primary = Id::new(instance::NAME, database);
    match elsewhere {
        Some(region) => vec![primary, Id::new(replica::NAME, names::elsewhere(region, server))],
        None if server == database => vec![primary, Id::new(topic::NAME, names::topic(database))],
        None => vec![Id::new(replica::NAME, server), Id::new(topic::NAME, names::topic(database))],
    }
}

/// Whether an alarm is ours by what it watches and what it says.
fn is_beyond_doubt(alarm: &Alarm, server: &str) -> bool {
    let watches = alarm.dimensions.iter().any(|(name, value)| name == DIMENSION && value == server);
    watches && alarm.description.ends_with(WORDS)
}

fn observed(id: &Id, alarm: &Alarm, is_ours: bool) -> Observed {
    let dimensions = alarm.dimensions.iter().map(|(name, value)| (name.clone(), Value::text(value))).collect();
    let props = [
        ("Namespace", Value::text(&alarm.namespace)),
        ("MetricName", Value::text(&alarm.metric)),
        ("Dimensions", Value::Map(dimensions)),
        ("Statistic", Value::text(&alarm.statistic)),
        ("Period", Value::Int(alarm.period_s)),
        ("EvaluationPeriods", Value::Int(alarm.periods)),
        ("Threshold", Value::Float(alarm.threshold)),
        ("ComparisonOperator", Value::text(&alarm.operator)),
        ("TreatMissingData", Value::text(&alarm.missing)),
        ("AlarmActions", Value::List(alarm.actions.iter().map(Value::text).collect())),
        ("ActionsEnabled", alarm.is_on.into()),
        ("AlarmDescription", Value::text(&alarm.description)),
    ];
    ours::seen(id, crate::kinds::props(props), ours::status(is_ours))
}

/// The alarm that a resource says, if all of it is known.
fn alarm(resource: &Resource) -> Option<Alarm> {
    let props: &BTreeMap<String, Value> = &resource.props;
    let text = |name: &str| Some(props.get(name)?.as_text()?.to_owned());
    let int = |name: &str| props.get(name)?.as_int();
    let texts = |list: &[Value]| list.iter().map(|value| value.as_text().map(str::to_owned)).collect::<Option<_>>();
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_text()?.to_owned()));
    Some(Alarm {
        name: names::place(NAME, &resource.id.name).1,
        arn: String::new(),
        description: text("AlarmDescription")?,
        namespace: text("Namespace")?,
        metric: text("MetricName")?,
        dimensions: props.get("Dimensions")?.as_map()?.iter().map(pair).collect::<Option<_>>()?,
        statistic: text("Statistic")?,
        period_s: int("Period")?,
        periods: int("EvaluationPeriods")?,
        threshold: threshold(props)?,
        operator: text("ComparisonOperator")?,
        missing: text("TreatMissingData")?,
        is_on: true,
        actions: texts(props.get("AlarmActions")?.as_list()?)?,
        ok_actions: Vec::new(),
        unknown_actions: Vec::new(),
    })
}

fn threshold(props: &Props) -> Option<f64> {
    match props.get("Threshold")? {
        Value::Float(number) => Some(*number),
        value => value.as_text()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_of_a_longer_name_is_somebody_elses() {
        let of = |alarm| server(alarm, "orders", false);
        assert_eq!(of("orders-cpu").as_deref(), Some("orders"));
        assert_eq!(of("orders-r2-replica-lag").as_deref(), Some("orders-r2"));
        assert_eq!(of("orders-eu-cpu"), None);
        assert_eq!(of("orders-r16-cpu"), None);
        assert_eq!(of("orders-cpu-high"), None);
        assert_eq!(of("orders-dr-cpu"), None);
        assert_eq!(server("orders-dr-cpu", "orders", true).as_deref(), Some("orders-dr"));
        assert_eq!(database_elsewhere("orders-dr-replica-lag"), Some("orders"));
    }

    #[test]
    fn an_alarm_is_ours_without_a_look_at_its_tags_when_it_watches_ours_and_says_so() {
        let alarm = |server: &str, words: &str| Alarm {
            name: "orders-cpu".to_owned(),
            arn: String::new(),
            description: words.to_owned(),
            namespace: "AWS/RDS".to_owned(),
            metric: "CPUUtilization".to_owned(),
            dimensions: vec![(DIMENSION.to_owned(), server.to_owned())],
            statistic: "Average".to_owned(),
            period_s: 300,
            periods: 2,
            threshold: 80.0,
            operator: "GreaterThanThreshold".to_owned(),
            missing: "missing".to_owned(),
            is_on: true,
            actions: Vec::new(),
            ok_actions: Vec::new(),
            unknown_actions: Vec::new(),
        };
        let words = format!("CPUUtilization of orders{WORDS}");
        assert!(is_beyond_doubt(&alarm("orders", &words), "orders"));
        assert!(!is_beyond_doubt(&alarm("others", &words), "orders"));
        assert!(!is_beyond_doubt(&alarm("orders", "made by hand"), "orders"));
    }
}
