//! Alarms about a metric.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{missing, validation};
use crate::around::{Tags, is_arn, most, page, tags_of};
use crate::rds::state::ACCOUNT;
use crate::wire::{Fields, Refusal};

/// The alarms of a region, by name.
pub type Alarms = BTreeMap<String, Alarm>;

/// An alarm.
#[derive(Debug, Clone)]
pub struct Alarm {
    set: Settings,
    tags: Tags,
    configured: Timestamp,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`, why, and since when.
    state: (String, String, Timestamp),
}

/// What an alarm is set to.
#[derive(Debug, Clone)]
struct Settings {
    description: Option<String>,
    has_actions: bool,
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    no_data_actions: Vec<String>,
    metric: String,
    namespace: String,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Vec<(String, String)>,
    period_s: i64,
    unit: Option<String>,
    periods: i64,
    datapoints: Option<i64>,
    threshold: f64,
    comparison: String,
    missing_data: Option<String>,
}

const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];
const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const COMPARISONS: [&str; 4] =
    ["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"];
const MISSING_DATA: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];

/// `PutMetricAlarm`: makes it or sets it anew. Tags are taken only when it is made.
pub fn put(alarms: &mut Alarms, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let name = sent.required("AlarmName", "MissingParameter")?.to_owned();
    if name.chars().count() > 255 {
        return Err(validation("AlarmName must be at most 255 characters long."));
    }
    let set = settings(sent)?;
    let tags = tags_of(sent, "Tags", "ValidationError")?;
    match alarms.get_mut(&name) {
        Some(there) => (there.set, there.configured) = (set, now),
        None => {
            let state = ("INSUFFICIENT_DATA".to_owned(), "Unchecked: Initial alarm creation".to_owned(), now);
            alarms.insert(name, Alarm { set, tags, configured: now, state });
        }
    }
    Ok(json!({}))
}

/// `DescribeAlarms`: by names, or by their beginning.
pub fn describe(alarms: &Alarms, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let (names, prefix) = (sent.texts("AlarmNames")?, sent.text("AlarmNamePrefix")?);
    if names.is_some() && prefix.is_some() {
        return Err(Refusal::combination("AlarmNames and AlarmNamePrefix can't both be specified."));
    }
    if names.as_ref().is_some_and(|names| names.len() > 100) {
        return Err(validation("AlarmNames holds at most 100 names."));
    }
    let state = sent.text("StateValue")?;
    let action = sent.text("ActionPrefix")?;
    let kinds = sent.texts("AlarmTypes")?.unwrap_or_else(|| vec!["MetricAlarm".to_owned()]);
    let found = alarms.iter().filter(|(name, alarm)| {
        kinds.iter().any(|kind| kind == "MetricAlarm")
            && names.as_ref().is_none_or(|names| names.contains(name))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && state.is_none_or(|state| alarm.state.0 == state)
            && action.is_none_or(|action| alarm.set.alarm_actions.iter().any(|arn| arn.starts_with(action)))
    });
    let most = most(sent.int("MaxRecords")?, 100, 50, "ValidationError")?;
    let (page, next) = page(found.collect(), most, sent.text("NextToken")?, "InvalidNextToken")?;
    let shown: Vec<_> = page.into_iter().map(|(name, alarm)| shown(region, name, alarm)).collect();
    let mut answer = json!({ "MetricAlarms": shown, "CompositeAlarms": [] });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// `DescribeAlarmsForMetric`.
pub fn of_metric(alarms: &Alarms, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let metric = sent.required("MetricName", "MissingParameter")?;
    let namespace = sent.required("Namespace", "MissingParameter")?;
    let asked = dimensions(sent)?;
    let found = alarms.iter().filter(|(_, alarm)| {
        alarm.set.metric == metric && alarm.set.namespace == namespace && alarm.set.dimensions == asked
    });
    Ok(json!({ "MetricAlarms": found.map(|(name, alarm)| shown(region, name, alarm)).collect::<Vec<_>>() }))
}

/// `DeleteAlarms`: all of them, or none when one does not exist.
pub fn delete(alarms: &mut Alarms, sent: &Fields) -> Result<Value, Refusal> {
    let names = names(sent)?;
    if names.len() > 100 {
        return Err(validation("At most 100 alarms can be deleted in a request."));
    }
    if let Some(absent) = names.iter().find(|name| !alarms.contains_key(*name)) {
        return Err(missing(format!("Alarm {absent} does not exist")));
    }
    names.iter().for_each(|name| {
        alarms.remove(name);
    });
    Ok(json!({}))
}

/// `SetAlarmState`: as if something had been measured.
pub fn set_state(alarms: &mut Alarms, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let state = sent.required("StateValue", "MissingParameter")?;
    let why = sent.required("StateReason", "MissingParameter")?;
    one_of("StateValue", state, &STATES)?;
    let name = sent.required("AlarmName", "MissingParameter")?;
    let alarm = alarms.get_mut(name).ok_or_else(|| missing(format!("Alarm {name} does not exist")))?;
    alarm.state = (state.to_owned(), why.to_owned(), now);
    Ok(json!({}))
}

/// `EnableAlarmActions` and `DisableAlarmActions`.
pub fn enable(alarms: &mut Alarms, sent: &Fields, has_actions: bool) -> Result<Value, Refusal> {
    for name in names(sent)? {
        if let Some(alarm) = alarms.get_mut(&name) {
            alarm.set.has_actions = has_actions;
        }
    }
    Ok(json!({}))
}

/// `TagResource`.
pub fn tag(alarms: &mut Alarms, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let more = tags_of(sent, "Tags", "ValidationError")?;
    let alarm = of_arn(alarms, region, sent)?;
    let all = alarm.tags.clone().into_iter().filter(|(key, _)| !more.contains_key(key)).chain(more.clone());
    alarm.tags = crate::around::checked(all.collect(), "ValidationError")?;
    Ok(json!({}))
}

/// `UntagResource`.
pub fn untag(alarms: &mut Alarms, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let keys = sent.texts("TagKeys")?.unwrap_or_default();
    of_arn(alarms, region, sent)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// `ListTagsForResource`.
pub fn list_tags(alarms: &mut Alarms, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let tags = &of_arn(alarms, region, sent)?.tags;
    Ok(json!({ "Tags": tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect::<Vec<_>>() }))
}

fn names(sent: &Fields) -> Result<Vec<String>, Refusal> {
    let names = sent.texts("AlarmNames")?;
    names.ok_or_else(|| Refusal::of("MissingParameter", "The parameter AlarmNames is required."))
}

fn of_arn<'a>(alarms: &'a mut Alarms, region: &str, sent: &Fields) -> Result<&'a mut Alarm, Refusal> {
    let asked = sent.required("ResourceARN", "MissingParameter")?;
    let name = asked.strip_prefix(&arn(region, ""));
    let name =
        name.ok_or_else(|| Refusal::value(format!("Invalid resource ARN: {asked}. The emulator tags alarms.")))?;
    alarms.get_mut(name).ok_or_else(|| missing(format!("Unknown: {asked}")))
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}")
}

fn settings(sent: &Fields) -> Result<Settings, Refusal> {
    if sent.raw("Metrics").is_some() || sent.raw("EvaluationCriteria").is_some() {
        return Err(validation("The emulator has alarms about one metric only."));
    }
    let text = |name: &str| sent.text(name).map(|text| text.map(str::to_owned));
    let needed = |name: &'static str| sent.required(name, "MissingParameter").map(str::to_owned);
    let int = |name: &str| {
        sent.int(name)?.ok_or_else(|| Refusal::of("MissingParameter", format!("The parameter {name} is required.")))
    };
    let (statistic, extended_statistic) = (text("Statistic")?, text("ExtendedStatistic")?);
    match (&statistic, &extended_statistic) {
        (Some(statistic), None) => one_of("Statistic", statistic, &STATISTICS)?,
        (None, Some(_)) => {}
        _ => return Err(Refusal::combination("One of Statistic and ExtendedStatistic must be specified.")),
    }
    let comparison = needed("ComparisonOperator")?;
    one_of("ComparisonOperator", &comparison, &COMPARISONS)?;
    let missing_data = text("TreatMissingData")?;
    missing_data.as_deref().map_or(Ok(()), |text| one_of("TreatMissingData", text, &MISSING_DATA))?;
    let (period_s, periods) = (int("Period")?, int("EvaluationPeriods")?);
    if ![10, 20, 30].contains(&period_s) && (period_s < 60 || period_s % 60 != 0) {
        return Err(validation("Period must be 10, 20, 30 or a multiple of 60."));
    }
    let is_week = period_s >= 3600;
    if periods < 1 || period_s.saturating_mul(periods) > if is_week { 604_800 } else { 86_400 } {
        return Err(validation(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), or a week for periods of an hour and more.",
        ));
    }
    let datapoints = sent.int("DatapointsToAlarm")?;
    if datapoints.is_some_and(|datapoints| !(1..=periods).contains(&datapoints)) {
        return Err(validation("DatapointsToAlarm must be 1 to EvaluationPeriods."));
    }
    Ok(Settings {
        description: text("AlarmDescription")?,
        has_actions: sent.bool("ActionsEnabled")?.unwrap_or(true),
        ok_actions: actions(sent, "OKActions")?,
        alarm_actions: actions(sent, "AlarmActions")?,
        no_data_actions: actions(sent, "InsufficientDataActions")?,
        metric: needed("MetricName")?,
        namespace: needed("Namespace")?,
        statistic,
        extended_statistic,
        dimensions: dimensions(sent)?,
        period_s,
        unit: text("Unit")?,
        periods,
        datapoints,
        threshold: sent
            .float("Threshold")?
            .ok_or_else(|| Refusal::of("MissingParameter", "The parameter Threshold is required."))?,
        comparison,
        missing_data,
    })
}

fn actions(sent: &Fields, name: &str) -> Result<Vec<String>, Refusal> {
    let actions = sent.texts(name)?.unwrap_or_default();
    if actions.len() > 5 {
        return Err(validation(format!("{name} holds at most 5 actions.")));
    }
    match actions.iter().find(|action| !is_arn(action)) {
        Some(action) => Err(validation(format!("Invalid use of {name}: {action} is not an ARN."))),
        None => Ok(actions),
    }
}

fn dimensions(sent: &Fields) -> Result<Vec<(String, String)>, Refusal> {
    let dimensions = sent.structures("Dimensions")?;
    let of = |dimension: &Fields| {
        let name = dimension.required("Name", "MissingParameter")?.to_owned();
        Ok((name, dimension.required("Value", "MissingParameter")?.to_owned()))
    };
    let mut dimensions = dimensions.iter().map(of).collect::<Result<Vec<_>, Refusal>>()?;
    dimensions.sort();
    match dimensions.len() > 30 || dimensions.windows(2).any(|two| two[0].0 == two[1].0) {
        true => Err(validation("There can be at most 30 dimensions, each once.")),
        false => Ok(dimensions),
    }
}

fn one_of(what: &str, value: &str, known: &[&str]) -> Result<(), Refusal> {
    known.contains(&value).then_some(()).ok_or_else(|| {
        validation(format!(
            "Value '{value}' at '{what}' failed to satisfy constraint: Member must satisfy enum value set: {known:?}"
        ))
    })
}

fn shown(region: &str, name: &str, alarm: &Alarm) -> Value {
    let Alarm { set, tags: _, configured, state: (state, why, since) } = alarm;
    let dimensions = set.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value }));
    let mut shown = json!({
        "AlarmName": name,
        "AlarmArn": arn(region, name),
        "AlarmConfigurationUpdatedTimestamp": configured.as_duration().as_secs_f64(),
        "ActionsEnabled": set.has_actions,
        "OKActions": set.ok_actions,
        "AlarmActions": set.alarm_actions,
        "InsufficientDataActions": set.no_data_actions,
        "StateValue": state,
        "StateReason": why,
        "StateUpdatedTimestamp": since.as_duration().as_secs_f64(),
        "StateTransitionedTimestamp": since.as_duration().as_secs_f64(),
        "MetricName": set.metric,
        "Namespace": set.namespace,
        "Dimensions": dimensions.collect::<Vec<_>>(),
        "Period": set.period_s,
        "EvaluationPeriods": set.periods,
        "Threshold": set.threshold,
        "ComparisonOperator": set.comparison,
    });
    let texts = [
        ("AlarmDescription", &set.description),
        ("Statistic", &set.statistic),
        ("ExtendedStatistic", &set.extended_statistic),
        ("Unit", &set.unit),
        ("TreatMissingData", &set.missing_data),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            shown[field] = json!(text);
        }
    }
    if let Some(datapoints) = set.datapoints {
        shown["DatapointsToAlarm"] = json!(datapoints);
    }
    shown
}
