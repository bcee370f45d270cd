//! Alarms of CloudWatch, a handful a server.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{UNREAD_TAGS, instance, listed, output, props, recovery, replica, set, tags, topic};
use crate::alarms::{self, Alarm, Server};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "alarm";

/// The dimension that says whose metric it is; it takes the identifier, not the resource id.
pub const DIMENSION: &str = "DBInstanceIdentifier";

/// What a description ends with, by which an alarm of ours is told without reading its tags.
pub const WORDS: &str = ", kept by pgherd";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("Namespace", Impact::None),
        set("MetricName", Impact::None),
        set("Dimensions.*", Impact::None),
        set("Statistic", Impact::None),
        set("Period", Impact::None),
        set("EvaluationPeriods", Impact::None),
        set("Threshold", Impact::None),
        set("ComparisonOperator", Impact::None),
        set("TreatMissingData", Impact::None),
        listed("AlarmActions", Impact::None),
        set("ActionsEnabled", Impact::None),
        set("AlarmDescription", Impact::None),
        UNREAD_TAGS,
    ],
};

/// The alarms a spec wants: of the instance and of each replica, where that is.
pub fn wanted(spec: &Spec, region: &str) -> Vec<Resource> {
    let primary = (instance::id(spec), Server::Primary);
    let replicas = (1..=spec.replicas).map(|number| (replica::id(spec, number), Server::Replica));
    let there = recovery::region(spec).filter(|(there, _)| there.read_replica);
    let there = there.map(|(_, region)| (recovery::replica_id(spec, region), Server::Replica));
    std::iter::once(primary)
        .chain(replicas)
        .chain(there)
        .flat_map(|(id, server)| alarms::of(spec, server).into_iter().map(move |alarm| of(spec, region, &id, alarm)))
        .collect()
}

fn of(spec: &Spec, region: &str, server: &Id, alarm: Alarm) -> Resource {
    let operator = if alarm.below { "LessThanThreshold" } else { "GreaterThanThreshold" };
    let (there, name) = names::place(&server.kind, &server.name);
    let dimensions = props([(DIMENSION, name.as_str().into())]);
    let topic = topic::id(spec).filter(|_| there.is_none());
    let own = names::alarm(&name, alarm.about);
    Resource {
        id: Id::new(NAME, there.as_ref().map_or(own.clone(), |region| names::elsewhere(region, &own))),
        props: props([
            ("Namespace", "AWS/RDS".into()),
            ("MetricName", alarm.metric.into()),
            ("Dimensions", Value::Map(dimensions)),
            ("Statistic", alarm.statistic.into()),
            ("Period", Value::Int(300)),
            ("EvaluationPeriods", Value::Int(2)),
            ("Threshold", Value::Float(alarm.threshold)),
            ("ComparisonOperator", operator.into()),
            ("TreatMissingData", alarm.missing.into()),
            ("AlarmActions", Value::List(actions(spec, there.as_deref()))),
            ("ActionsEnabled", true.into()),
            ("AlarmDescription", description(spec, region, &name, alarm).into()),
            ("Tags", tags::wanted(spec)),
        ]),
        // Made once its server is there, so that none rings while that is made.
        needs: std::iter::once(server.clone()).chain(topic).collect(),
    }
}

/// What somebody reads who is woken: where to look next, too. It also tells that there is a dashboard, when nobody wants it any more.
fn description(spec: &Spec, region: &str, server: &str, alarm: Alarm) -> String {
    let shown =
        spec.monitoring.dashboard.then(|| format!(", on the dashboard {}", names::dashboard(&spec.name, region)));
    format!("{} of {}{}{WORDS}", alarm.metric, server, shown.unwrap_or_default())
}

/// Who is told: topics as they are written, and our own for e-mail addresses. CloudWatch tells topics of its own region only, so those
/// of the second one are told of what is there, and nobody by mail.
fn actions(spec: &Spec, there: Option<&str>) -> Vec<Value> {
    let second = recovery::region(spec).map(|(_, region)| region);
    let is_there = |topic: &str| second.is_some() && topic.split(':').nth(3) == second;
    let written = spec.monitoring.alarm_targets.iter().filter_map(|target| match target {
        Setting::Known(text) if text.starts_with("arn:") => {
            (is_there(text) == there.is_some()).then(|| Value::text(text))
        }
        Setting::Unknown(reference) if there.is_none() => Some(Value::Unknown(reference.clone())),
        Setting::Known(_) | Setting::Unknown(_) | Setting::Unset => None,
    });
    topic::id(spec).filter(|_| there.is_none()).map(|id| output(id, topic::ARN)).into_iter().chain(written).collect()
}
