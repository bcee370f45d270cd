//! Groups and streams: made, described, tagged, and how long they keep.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Group, Logs, Stream, invalid, named, no_group};
use crate::around::{Tags, most, page};
use crate::rds::state::ACCOUNT;
use crate::wire::{Fields, Refusal};

/// The days a group can keep.
const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// `CreateLogGroup`.
pub fn create(logs: &mut Logs, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let name = named(sent)?;
    let tags = checked(sent.map("tags")?.unwrap_or_default())?;
    if logs.groups.contains_key(&name) {
        return Err(Refusal::of("ResourceAlreadyExistsException", "The specified log group already exists"));
    }
    let group = Group {
        kms_key: sent.text("kmsKeyId")?.map(str::to_owned),
        class: sent.text("logGroupClass")?.unwrap_or("STANDARD").to_owned(),
        tags,
        ..Group::new(now)
    };
    logs.groups.insert(name, group);
    Ok(json!({}))
}

/// `DeleteLogGroup`.
pub fn delete(logs: &mut Logs, sent: &Fields) -> Result<Value, Refusal> {
    logs.groups.remove(&named(sent)?).map(|_| json!({})).ok_or_else(no_group)
}

/// `DescribeLogGroups`: by the beginning of their names, or by a part of them.
pub fn describe(logs: &Logs, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let (prefix, pattern) = (sent.text("logGroupNamePrefix")?, sent.text("logGroupNamePattern")?);
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    let found = logs.groups.iter().filter(|(name, _)| {
        prefix.is_none_or(|prefix| name.starts_with(prefix)) && pattern.is_none_or(|part| name.contains(part))
    });
    let most = most(sent.int("limit")?, 50, 50, "InvalidParameterException")?;
    let (page, next) = page(found.collect(), most, sent.text("nextToken")?, "InvalidParameterException")?;
    let shown: Vec<_> = page.into_iter().map(|(name, group)| shown(region, name, group)).collect();
    let mut answer = json!({ "logGroups": shown });
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

/// `PutRetentionPolicy`.
pub fn put_retention(logs: &mut Logs, sent: &Fields) -> Result<Value, Refusal> {
    let days = sent.int("retentionInDays")?.filter(|days| RETENTIONS.contains(days));
    let days = days.ok_or_else(|| invalid(format!("retentionInDays must be one of {RETENTIONS:?}.")))?;
    logs.group(sent)?.retention_days = Some(days);
    Ok(json!({}))
}

/// `DeleteRetentionPolicy`.
pub fn delete_retention(logs: &mut Logs, sent: &Fields) -> Result<Value, Refusal> {
    logs.group(sent)?.retention_days = None;
    Ok(json!({}))
}

/// `TagResource`.
pub fn tag(logs: &mut Logs, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let more = sent.map("tags")?.ok_or_else(|| invalid("tags is required."))?;
    let group = of_arn(logs, region, sent)?;
    group.tags = checked(group.tags.clone().into_iter().chain(more).collect())?;
    Ok(json!({}))
}

/// `UntagResource`.
pub fn untag(logs: &mut Logs, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let keys = sent.texts("tagKeys")?.ok_or_else(|| invalid("tagKeys is required."))?;
    of_arn(logs, region, sent)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// `ListTagsForResource`.
pub fn tags(logs: &mut Logs, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    Ok(json!({ "tags": of_arn(logs, region, sent)?.tags }))
}

/// `CreateLogStream`.
pub fn create_stream(logs: &mut Logs, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let name = sent.required("logStreamName", "InvalidParameterException")?.to_owned();
    let group = logs.group(sent)?;
    if group.streams.contains_key(&name) {
        return Err(Refusal::of("ResourceAlreadyExistsException", "The specified log stream already exists"));
    }
    group.streams.insert(name, Stream::new(now));
    Ok(json!({}))
}

/// `DescribeLogStreams`.
pub fn describe_streams(logs: &mut Logs, region: &str, sent: &Fields) -> Result<Value, Refusal> {
    let group_name = named(sent)?;
    let group = logs.group(sent)?;
    let prefix = sent.text("logStreamNamePrefix")?.unwrap_or_default();
    let mut found: Vec<_> = group.streams.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    if sent.text("orderBy")? == Some("LastEventTime") {
        found.sort_by_key(|(_, stream)| stream.events.last().map(|event| event.at));
    }
    if sent.bool("descending")?.unwrap_or(false) {
        found.reverse();
    }
    let most = most(sent.int("limit")?, 50, 50, "InvalidParameterException")?;
    let (page, next) = page(found, most, sent.text("nextToken")?, "InvalidParameterException")?;
    let shown: Vec<_> =
        page.into_iter().map(|(name, stream)| shown_stream(region, &group_name, name, stream)).collect();
    let mut answer = json!({ "logStreams": shown });
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

/// The group of an ARN, which for tags is one without `:*` at its end.
fn of_arn<'a>(logs: &'a mut Logs, region: &str, sent: &Fields) -> Result<&'a mut Group, Refusal> {
    let asked = sent.required("resourceArn", "InvalidParameterException")?;
    let name = asked.strip_prefix(&arn(region, "")).ok_or_else(|| invalid(format!("Invalid resource ARN: {asked}")))?;
    logs.groups.get_mut(name).ok_or_else(no_group)
}

fn checked(tags: Tags) -> Result<Tags, Refusal> {
    crate::around::checked(tags.into_iter().collect(), "InvalidParameterException")
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}")
}

fn shown(region: &str, name: &str, group: &Group) -> Value {
    let arn = arn(region, name);
    let mut shown = json!({
        "logGroupName": name,
        "creationTime": group.created.as_millisecond(),
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": group.bytes(),
        "logGroupClass": group.class,
    });
    if let Some(days) = group.retention_days {
        shown["retentionInDays"] = json!(days);
    }
    if let Some(key) = &group.kms_key {
        shown["kmsKeyId"] = json!(key);
    }
    shown
}

fn shown_stream(region: &str, group: &str, name: &str, stream: &Stream) -> Value {
    let mut shown = json!({
        "logStreamName": name,
        "creationTime": stream.created.as_millisecond(),
        "arn": format!("{}:log-stream:{name}", arn(region, group)),
        "storedBytes": 0,
    });
    if let (Some(first), Some(last)) = (stream.events.first(), stream.events.last()) {
        shown["firstEventTimestamp"] = json!(first.at.as_millisecond());
        shown["lastEventTimestamp"] = json!(last.at.as_millisecond());
        shown["lastIngestionTime"] = json!(last.taken.as_millisecond());
    }
    shown
}
