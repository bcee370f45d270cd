//! What stands around RDS: networks, roles, secrets, keys, logs, alarms and topics, one service a file.
//!
//! As with RDS nothing here knows of sockets or waits, and what nobody of us has seen on AWS is decided for the stricter reading.

pub mod cloudwatch;
pub mod ec2;
pub mod iam;
pub mod kms;
pub mod logs;
pub mod secrets;
pub mod sns;
pub mod sts;

use std::collections::BTreeMap;

use crate::wire::{Element, Fields, Form, Refusal};

/// What one region holds beside RDS and what RDS looks at.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Secrets.
    pub secrets: secrets::Secrets,
    /// Groups of logs.
    pub logs: logs::Logs,
    /// Alarms.
    pub alarms: cloudwatch::Alarms,
    /// Topics.
    pub topics: sns::Topics,
}

/// What belongs to the account, whatever the region.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Roles.
    pub roles: iam::Roles,
    /// Dashboards by name.
    pub dashboards: BTreeMap<String, cloudwatch::Dashboard>,
}

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Tags of a list of structures with `Key` and `Value`.
fn tags_of(fields: &Fields, name: &str, code: &'static str) -> Result<Tags, Refusal> {
    let pairs = fields.structures(name)?.into_iter().map(|tag| {
        let key = tag.required("Key", code)?.to_owned();
        Ok((key, tag.text("Value")?.unwrap_or_default().to_owned()))
    });
    checked(pairs.collect::<Result<Vec<_>, _>>()?, code)
}

/// Tags of a form's list `Tags.member.1.Key`.
fn tags_in(form: &Form, code: &'static str) -> Result<Tags, Refusal> {
    let pairs = form
        .structures("Tags", "member")
        .into_iter()
        .map(|tag| Ok((tag.required("Key")?.to_owned(), tag.text("Value").unwrap_or_default().to_owned())));
    checked(pairs.collect::<Result<Vec<_>, _>>()?, code)
}

/// The rules that tags have everywhere: at most 50, no key twice, none that begins with `aws:`, 128 and 256 characters.
fn checked(pairs: Vec<(String, String)>, code: &'static str) -> Result<Tags, Refusal> {
    let mut tags = Tags::new();
    for (key, value) in pairs {
        if key.starts_with("aws:") || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Refusal::of(code, format!("The tag '{key}' is not valid.")));
        }
        if tags.contains_key(&key) {
            return Err(Refusal::of(code, format!("The tag key '{key}' is sent twice.")));
        }
        tags.insert(key, value);
    }
    (tags.len() <= 50).then_some(tags).ok_or_else(|| Refusal::of(code, "There can be at most 50 tags."))
}

/// Tags as answers in XML show them.
fn tags_shown(tags: &Tags) -> impl Iterator<Item = Element> {
    tags.iter().map(|(key, value)| Element::new("member").put("Key", key).put("Value", value))
}

/// One page of what was found, and the token of the next.
fn page<T>(
    found: Vec<T>,
    most: usize,
    token: Option<&str>,
    code: &'static str,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let from = match token {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|from| from.parse::<usize>().ok())
            .ok_or_else(|| Refusal::of(code, "The token of the next page is not valid."))?,
    };
    let next = (found.len() > from + most).then(|| format!("page-{}", from + most));
    Ok((found.into_iter().skip(from).take(most).collect(), next))
}

/// How many a page may hold.
fn most(asked: Option<i64>, largest: usize, default: usize, code: &'static str) -> Result<usize, Refusal> {
    let Some(asked) = asked else { return Ok(default) };
    let most = usize::try_from(asked).ok().filter(|most| (1..=largest).contains(most));
    most.ok_or_else(|| Refusal::of(code, format!("A page holds 1 to {largest}, not {asked}.")))
}

/// Whether a text is the address of something of AWS.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.split(':').count() >= 6
}
