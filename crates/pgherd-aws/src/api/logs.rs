//! Log groups.

use pgherd_http::Safety;
use serde_json::{Map, Value, json};

use crate::protocol::error::AwsError;
use crate::service::Service;
use crate::session::Session;

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogGroup {
    pub(crate) name: String,
    /// As tags are given to it: without the `:*` at the end.
    pub(crate) arn: String,
    /// `None`: for ever.
    pub(crate) retention_days: Option<i64>,
    /// CloudWatch counts them late.
    pub(crate) stored_bytes: i64,
}

/// The log groups whose names begin so.
pub(crate) async fn groups(session: &Session, region: &str, prefix: &str) -> Result<Vec<LogGroup>, AwsError> {
    let mut found = Vec::new();
    let mut next = Value::Null;
    loop {
        let mut body = json!({ "logGroupNamePrefix": prefix });
        if !next.is_null() {
            body["nextToken"] = next;
        }
        let mut page = ask(session, region, "DescribeLogGroups", &body, Safety::Repeatable).await?;
        found.extend(page["logGroups"].as_array().into_iter().flatten().filter_map(read));
        next = page["nextToken"].take();
        if next.is_null() {
            return Ok(found);
        }
    }
}

/// Makes a log group.
pub(crate) async fn create(
    session: &Session,
    region: &str,
    name: &str,
    tags: &[(String, String)],
) -> Result<(), AwsError> {
    let mut body = json!({ "logGroupName": name });
    if !tags.is_empty() {
        body["tags"] = map(tags);
    }
    ask(session, region, "CreateLogGroup", &body, Safety::LookFirst).await.map(drop)
}

/// Keeps what is logged for that many days.
pub(crate) async fn retain(session: &Session, region: &str, name: &str, days: i64) -> Result<(), AwsError> {
    let body = json!({ "logGroupName": name, "retentionInDays": days });
    ask(session, region, "PutRetentionPolicy", &body, Safety::Repeatable).await.map(drop)
}

/// Adds tags, or gives them other values.
pub(crate) async fn tag(session: &Session, region: &str, arn: &str, tags: &[(String, String)]) -> Result<(), AwsError> {
    let body = json!({ "resourceArn": arn, "tags": map(tags) });
    ask(session, region, "TagResource", &body, Safety::Repeatable).await.map(drop)
}

/// Takes tags away.
pub(crate) async fn untag(session: &Session, region: &str, arn: &str, keys: &[String]) -> Result<(), AwsError> {
    let body = json!({ "resourceArn": arn, "tagKeys": keys });
    ask(session, region, "UntagResource", &body, Safety::Repeatable).await.map(drop)
}

async fn ask(session: &Session, region: &str, action: &str, body: &Value, safety: Safety) -> Result<Value, AwsError> {
    session.json(Service::Logs, region, action, body, safety).await
}

fn map(tags: &[(String, String)]) -> Value {
    Value::Object(tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>())
}

fn read(group: &Value) -> Option<LogGroup> {
    let arn = group["logGroupArn"].as_str().or_else(|| group["arn"].as_str()).unwrap_or_default();
    Some(LogGroup {
        name: group["logGroupName"].as_str()?.to_owned(),
        arn: arn.strip_suffix(":*").unwrap_or(arn).to_owned(),
        retention_days: group["retentionInDays"].as_i64(),
        stored_bytes: group["storedBytes"].as_i64().unwrap_or_default(),
    })
}
