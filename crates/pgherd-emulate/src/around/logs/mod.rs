//! CloudWatch Logs: groups, how long they keep, their streams and what is written in them.

pub mod events;
pub mod groups;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::around::Tags;
use crate::rds::logs::Line;
use crate::wire::{Fields, Refusal};

/// The log groups of a region.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// Groups by name.
    groups: BTreeMap<String, Group>,
}

/// A group of logs.
#[derive(Debug, Clone)]
pub struct Group {
    created: Timestamp,
    /// For ever, if nothing is said.
    retention_days: Option<i64>,
    kms_key: Option<String>,
    class: String,
    tags: Tags,
    /// Streams by name.
    streams: BTreeMap<String, Stream>,
}

/// A stream of a group.
#[derive(Debug, Clone)]
pub struct Stream {
    created: Timestamp,
    /// Oldest first.
    events: Vec<Event>,
    /// The number of the first line of its service that is not written yet. How many events there are says nothing of it: those past
    /// the retention are gone.
    next: usize,
}

/// A line of a stream.
#[derive(Debug, Clone)]
pub struct Event {
    at: Timestamp,
    /// When it came.
    taken: Timestamp,
    message: String,
}

/// The answer to a request.
pub fn answer(logs: &mut Logs, region: &str, action: &str, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    logs.forget(now);
    match action {
        "CreateLogGroup" => groups::create(logs, sent, now),
        "CreateLogStream" => groups::create_stream(logs, sent, now),
        "DeleteLogGroup" => groups::delete(logs, sent),
        "DeleteRetentionPolicy" => groups::delete_retention(logs, sent),
        "DescribeLogGroups" => groups::describe(logs, region, sent),
        "DescribeLogStreams" => groups::describe_streams(logs, region, sent),
        "FilterLogEvents" => events::filter(logs, sent),
        "GetLogEvents" => events::get(logs, sent),
        "ListTagsForResource" => groups::tags(logs, region, sent),
        "PutLogEvents" => events::put(logs, sent, now),
        "PutRetentionPolicy" => groups::put_retention(logs, sent),
        "TagResource" => groups::tag(logs, region, sent),
        "UntagResource" => groups::untag(logs, region, sent),
        other => Err(Refusal::of("UnknownOperationException", format!("The emulator has no {other}."))),
    }
}

impl Logs {
    /// The stream that a service writes to: it and its group are made where they are absent. A group made like this keeps for ever.
    pub fn stream(&mut self, group: &str, stream: &str, now: Timestamp) -> &mut Stream {
        let group = self.groups.entry(group.to_owned()).or_insert_with(|| Group::new(now));
        group.streams.entry(stream.to_owned()).or_insert_with(|| Stream::new(now))
    }

    /// The group a request names.
    fn group(&mut self, sent: &Fields) -> Result<&mut Group, Refusal> {
        let name = named(sent)?;
        self.groups.get_mut(&name).ok_or_else(no_group)
    }

    /// Lines older than a group keeps them are gone.
    fn forget(&mut self, now: Timestamp) {
        for group in self.groups.values_mut() {
            let Some(days) = group.retention_days else { continue };
            let kept = jiff::SignedDuration::from_hours(24 * days);
            for stream in group.streams.values_mut() {
                stream.events.retain(|event| now.duration_since(event.at) <= kept);
            }
        }
    }
}

impl Stream {
    fn new(now: Timestamp) -> Self {
        Self { created: now, events: Vec::new(), next: 0 }
    }

    /// What a service writes: of its lines, asked for from a number on, those that are not written yet.
    pub fn export(&mut self, since: impl FnOnce(usize) -> Vec<Line>, now: Timestamp) {
        for Line { number, at, text } in since(self.next) {
            self.events.push(Event { at, taken: now, message: text.trim_end().to_owned() });
            self.next = number + 1;
        }
    }
}

impl Group {
    fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            retention_days: None,
            kms_key: None,
            class: "STANDARD".to_owned(),
            tags: Tags::new(),
            streams: BTreeMap::new(),
        }
    }

    fn bytes(&self) -> usize {
        self.streams.values().flat_map(|stream| &stream.events).map(|event| event.message.len() + 26).sum()
    }
}

/// The name of a group: as `logGroupName`, or as what is behind the ARN's `log-group:`.
fn named(sent: &Fields) -> Result<String, Refusal> {
    let name = match sent.text("logGroupName")? {
        Some(name) => name,
        None => {
            let arn = sent.required("logGroupIdentifier", "InvalidParameterException")?;
            arn.split_once(":log-group:").map_or(arn, |(_, name)| name.trim_end_matches(":*"))
        }
    };
    let fits = (1..=512).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/#-".contains(&byte));
    fits.then(|| name.to_owned()).ok_or_else(|| {
        invalid("Value at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+")
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::of("InvalidParameterException", message)
}

fn no_group() -> Refusal {
    Refusal::of("ResourceNotFoundException", "The specified log group does not exist.")
}
