//! Secrets and their versions. What stands in them is [`Secret`] wherever it passes.

use std::collections::BTreeMap;

use pgherd_core::secret::Secret;
use pgherd_http::Safety;
use serde_json::{Value, json};

use crate::api::tags::Tags;
use crate::protocol::error::AwsError;
use crate::service::Service;
use crate::session::Session;

/// The stage of the version that is in use.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The stage of a version that is about to be.
pub(crate) const PENDING: &str = "AWSPENDING";

/// What may be known of a secret without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) arn: String,
    pub(crate) tags: Tags,
    /// Whether it is scheduled for deletion: nobody can read it, and it can be restored.
    pub(crate) deleted: bool,
    /// The key it is encrypted with, as whoever set it wrote it; none is AWS's own.
    pub(crate) key: Option<String>,
    /// Versions by their stages.
    pub(crate) stages: BTreeMap<String, String>,
}

/// A version of a secret.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) text: Secret,
}

/// A version that is to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewVersion {
    /// 32 to 64 characters that become the version's id. AWS shows them in CloudTrail.
    pub(crate) token: String,
    pub(crate) text: Secret,
}

/// A secret that is to be.
#[derive(Debug)]
pub(crate) struct NewSecret<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) tags: &'a [(String, String)],
    /// The key it is encrypted with; without one it is AWS's own.
    pub(crate) key: Option<&'a str>,
    /// Becomes the id of its first version, if it is to have one.
    pub(crate) token: String,
    /// Without one it holds nothing yet.
    pub(crate) text: Option<&'a Secret>,
}

/// What is known of a secret, if there is one of that name.
pub(crate) async fn describe(session: &Session, region: &str, name: &str) -> Result<Option<Described>, AwsError> {
    let answer = ask(session, region, "DescribeSecret", &json!({ "SecretId": name })).await;
    Ok(found(answer)?.as_ref().map(read))
}

/// The version of a secret at a stage, if there is one.
pub(crate) async fn value(
    session: &Session,
    region: &str,
    name: &str,
    stage: &str,
) -> Result<Option<Version>, AwsError> {
    let body = json!({ "SecretId": name, "VersionStage": stage });
    let answer = found(ask(session, region, "GetSecretValue", &body).await)?;
    Ok(answer.and_then(|mut answer| {
        let Value::String(text) = answer["SecretString"].take() else { return None };
        Some(Version { id: answer["VersionId"].as_str().unwrap_or_default().to_owned(), text: Secret::new(text) })
    }))
}

/// Makes a secret.
pub(crate) async fn create(session: &Session, region: &str, new: &NewSecret<'_>) -> Result<(), AwsError> {
    let mut body = json!({
        "Name": new.name,
        "Description": new.description,
        "Tags": listed(new.tags),
        "ClientRequestToken": new.token,
    });
    if let Some(key) = new.key {
        body["KmsKeyId"] = json!(key);
    }
    if let Some(text) = new.text {
        body["SecretString"] = json!(revealed(text));
    }
    // The token is of the version; without a text there is none that would tell a repetition.
    session.json(Service::SecretsManager, region, "CreateSecret", &body, Safety::LookFirst).await.map(drop)
}

/// Adds a version at a stage, which is taken from the version that has it.
pub(crate) async fn put(
    session: &Session,
    region: &str,
    name: &str,
    version: &NewVersion,
    stage: &str,
) -> Result<(), AwsError> {
    let body = json!({
        "SecretId": name,
        "SecretString": revealed(&version.text),
        "ClientRequestToken": version.token,
        "VersionStages": [stage],
    });
    ask(session, region, "PutSecretValue", &body).await.map(drop)
}

/// Moves a stage between versions; to none takes it away.
pub(crate) async fn stage(
    session: &Session,
    region: &str,
    (name, stage): (&str, &str),
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), AwsError> {
    let mut body = json!({ "SecretId": name, "VersionStage": stage });
    if let Some(from) = from {
        body["RemoveFromVersionId"] = json!(from);
    }
    if let Some(to) = to {
        body["MoveToVersionId"] = json!(to);
    }
    match ask(session, region, "UpdateSecretVersionStage", &body).await {
        // Asked again because the first answer was lost, it finds the stage moved.
        Err(error) if error.is("InvalidParameterException") => {
            let described = describe(session, region, name).await?;
            let at = described.as_ref().and_then(|described| described.stages.get(stage)).map(String::as_str);
            if at == to { Ok(()) } else { Err(error) }
        }
        asked => asked.map(drop),
    }
}

/// Encrypts a secret with another key.
pub(crate) async fn encrypt(session: &Session, region: &str, name: &str, key: &str) -> Result<(), AwsError> {
    ask(session, region, "UpdateSecret", &json!({ "SecretId": name, "KmsKeyId": key })).await.map(drop)
}

/// Schedules a secret for deletion.
pub(crate) async fn delete(session: &Session, region: &str, name: &str, days: u32) -> Result<(), AwsError> {
    let body = json!({ "SecretId": name, "RecoveryWindowInDays": days });
    ask(session, region, "DeleteSecret", &body).await.map(drop)
}

/// Takes back that a secret is deleted.
pub(crate) async fn restore(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    ask(session, region, "RestoreSecret", &json!({ "SecretId": name })).await.map(drop)
}

/// Adds tags, or gives them other values.
pub(crate) async fn tag(
    session: &Session,
    region: &str,
    name: &str,
    tags: &[(String, String)],
) -> Result<(), AwsError> {
    ask(session, region, "TagResource", &json!({ "SecretId": name, "Tags": listed(tags) })).await.map(drop)
}

/// Takes tags away.
pub(crate) async fn untag(session: &Session, region: &str, name: &str, keys: &[String]) -> Result<(), AwsError> {
    ask(session, region, "UntagResource", &json!({ "SecretId": name, "TagKeys": keys })).await.map(drop)
}

/// All that go here may be asked twice: a version is told apart by its token, which is one for all attempts of a call.
async fn ask(session: &Session, region: &str, action: &str, body: &Value) -> Result<Value, AwsError> {
    session.json(Service::SecretsManager, region, action, body, Safety::Repeatable).await
}

fn found(answer: Result<Value, AwsError>) -> Result<Option<Value>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(answer: &Value) -> Described {
    let tag = |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned()));
    let versions = answer["VersionIdsToStages"].as_object().into_iter().flatten();
    let stages = versions.flat_map(|(version, stages)| {
        let names = stages.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(|stage| (stage.to_owned(), version.clone()))
    });
    Described {
        arn: answer["ARN"].as_str().unwrap_or_default().to_owned(),
        tags: answer["Tags"].as_array().into_iter().flatten().filter_map(tag).collect(),
        deleted: !answer["DeletedDate"].is_null(),
        key: answer["KmsKeyId"].as_str().map(str::to_owned),
        stages: stages.collect(),
    }
}

fn listed(tags: &[(String, String)]) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// # Panics
/// With a verifier: what is stored of a password is no password.
fn revealed(text: &Secret) -> &str {
    text.reveal().expect("only texts that are known are sent")
}
