//! Alarms. Their descriptions do not tell their tags, so those are read only where name, metric and words leave a doubt.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::ours::{self, Retagging};
use crate::alarms;
use crate::api::cloudwatch::{self, Alarm};
use crate::kinds::alarm::{DIMENSION, NAME, WORDS};
use crate::kinds::{instance, replica, tags, topic};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// The alarms of a database's servers, wanted or not any more.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(database) = ours::database(wanted) else { return Ok(Vec::new()) };
    let is_wanted = |name: &str| wanted.iter().any(|one| one.id.kind == NAME && one.id.name == name);
    let found = cloudwatch::alarms(aws.session(), aws.region(), &names::alarm(database, "")).await?;
    let told = found.iter().filter_map(|alarm| Some((alarm, server(&alarm.name, database)?)));
    let looks = told.map(|(alarm, server)| async move {
        let wanted = is_wanted(&alarm.name);
        let is_ours = (wanted && is_beyond_doubt(alarm, &server)) || wears_our_tag(aws, alarm, database).await?;
        // What nobody wants and is not ours has nothing to do with this database.
        Ok::<_, AwsError>((wanted || is_ours).then(|| observed(alarm, database, &server, is_ours)))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
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
    let Some(there) = find(aws, &id.name).await? else { return Ok(()) };
    if !is_ours(aws, &there).await? {
        return Err(ours::foreign(id));
    }
    Ok(cloudwatch::delete_alarm(aws.session(), aws.region(), &id.name).await?)
}

/// Gives all alarms of a database other tags.
pub(crate) async fn retag(aws: &Aws, database: &str, retagging: &Retagging) -> Result<(), ProviderError> {
    let session = aws.session();
    let found = cloudwatch::alarms(session, aws.region(), &names::alarm(database, "")).await?;
    for alarm in found.iter().filter(|alarm| server(&alarm.name, database).is_some()) {
        if !wears_our_tag(aws, alarm, database).await? {
            continue;
        }
        retagging
            .carry(
                || cloudwatch::tag(session, aws.region(), &alarm.arn, &retagging.set),
                || cloudwatch::untag(session, aws.region(), &alarm.arn, &retagging.removed),
            )
            .await?;
    }
    Ok(())
}

async fn put(aws: &Aws, resource: &Resource) -> Result<(), ProviderError> {
    let alarm = alarm(resource).ok_or_else(|| {
        let message = format!("{} has a field whose value nobody knows", resource.id);
        ProviderError::new(ErrorKind::Invalid, message).help("write the value of what alarm_targets refers to")
    })?;
    // A name says nothing about whose an alarm is, and putting one overwrites it.
    if let Some(there) = find(aws, &alarm.name).await?
        && !is_ours(aws, &there).await?
    {
        return Err(ours::foreign(&resource.id));
    }
    Ok(cloudwatch::put_alarm(aws.session(), aws.region(), &alarm, &tags::sent(&resource.props)).await?)
}

async fn find(aws: &Aws, name: &str) -> Result<Option<Alarm>, AwsError> {
    let found = cloudwatch::alarms(aws.session(), aws.region(), name).await?;
    Ok(found.into_iter().find(|alarm| alarm.name == name))
}

/// Whether an alarm is of the database that its tags name.
async fn is_ours(aws: &Aws, alarm: &Alarm) -> Result<bool, AwsError> {
    let worn = cloudwatch::tags(aws.session(), aws.region(), &alarm.arn).await?;
    Ok(ours::is(&worn, |database| server(&alarm.name, database).is_some()))
}

async fn wears_our_tag(aws: &Aws, alarm: &Alarm, database: &str) -> Result<bool, AwsError> {
    let worn = cloudwatch::tags(aws.session(), aws.region(), &alarm.arn).await?;
    Ok(ours::is(&worn, |block| block == database))
}

/// The server that an alarm of this name would be of: `orders-r1-cpu` is of a replica, `orders-eu-cpu` of nobody here.
fn server(alarm: &str, database: &str) -> Option<String> {
    let about = |server: &String| alarms::ABOUT.iter().any(|about| names::alarm(server, about) == alarm);
    names::instances(database).into_iter().find(about)
}

/// Whether an alarm is ours by what it watches and what it says.
fn is_beyond_doubt(alarm: &Alarm, server: &str) -> bool {
    let watches = alarm.dimensions.iter().any(|(name, value)| name == DIMENSION && value == server);
    watches && alarm.description.ends_with(WORDS)
}

fn observed(alarm: &Alarm, database: &str, server: &str, is_ours: bool) -> Observed {
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
        ("AlarmDescription", Value::text(&alarm.description)),
    ];
    let watched = if server == database { instance::NAME } else { replica::NAME };
    let needs = vec![Id::new(watched, server), Id::new(topic::NAME, names::topic(database))];
    let id = Id::new(NAME, &alarm.name);
    Observed { needs, ..ours::seen(&id, crate::kinds::props(props), ours::status(is_ours)) }
}

/// The alarm that a resource says, if all of it is known.
fn alarm(resource: &Resource) -> Option<Alarm> {
    let props: &BTreeMap<String, Value> = &resource.props;
    let text = |name: &str| Some(props.get(name)?.as_text()?.to_owned());
    let int = |name: &str| props.get(name)?.as_int();
    let texts = |list: &[Value]| list.iter().map(|value| value.as_text().map(str::to_owned)).collect::<Option<_>>();
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_text()?.to_owned()));
    Some(Alarm {
        name: resource.id.name.clone(),
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
        actions: texts(props.get("AlarmActions")?.as_list()?)?,
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
        let of = |alarm| server(alarm, "orders");
        assert_eq!(of("orders-cpu").as_deref(), Some("orders"));
        assert_eq!(of("orders-r2-replica-lag").as_deref(), Some("orders-r2"));
        assert_eq!(of("orders-eu-cpu"), None);
        assert_eq!(of("orders-r16-cpu"), None);
        assert_eq!(of("orders-cpu-high"), None);
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
            actions: Vec::new(),
        };
        let words = format!("CPUUtilization of orders{WORDS}");
        assert!(is_beyond_doubt(&alarm("orders", &words), "orders"));
        assert!(!is_beyond_doubt(&alarm("others", &words), "orders"));
        assert!(!is_beyond_doubt(&alarm("orders", "made by hand"), "orders"));
    }
}
