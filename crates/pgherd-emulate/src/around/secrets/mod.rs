//! Secrets Manager: secrets, their versions and the labels that say which of them counts, and the days in which a deleted one can be
//! had back.

pub mod manage;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::around::Tags;
use crate::around::kms::Keys;
use crate::rds::state::ACCOUNT;
use crate::wire::{Fields, Refusal};

/// The secrets of a region.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Secrets by name.
    held: BTreeMap<String, Secret>,
    /// How many were ever made.
    made: u64,
}

/// A secret.
#[derive(Debug, Clone)]
pub struct Secret {
    arn: String,
    name: String,
    description: Option<String>,
    kms_key: Option<String>,
    tags: Tags,
    created: Timestamp,
    changed: Timestamp,
    /// When it is gone, if it was deleted.
    gone: Option<Timestamp>,
    versions: BTreeMap<String, Version>,
}

/// A version of a secret.
#[derive(Debug, Clone)]
pub struct Version {
    content: Content,
    /// Its labels.
    stages: BTreeSet<String>,
    created: Timestamp,
}

/// What a version holds, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Bytes, in base64 as they came.
    Binary(String),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(****)")
    }
}

/// The label of the version that counts.
pub const CURRENT: &str = "AWSCURRENT";
/// The label of the one before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The answer to a request.
pub fn answer(
    secrets: &mut Secrets,
    keys: &Keys,
    region: &str,
    action: &str,
    sent: &Fields,
    now: Timestamp,
) -> Result<Value, Refusal> {
    secrets.held.retain(|_, secret| secret.gone.is_none_or(|gone| now < gone));
    encrypted(secrets, keys, action, sent)?;
    match action {
        "CreateSecret" => manage::create(secrets, region, sent, now),
        "DeleteSecret" => manage::delete(secrets, sent, now),
        "DescribeSecret" => manage::describe(secrets, sent),
        "GetRandomPassword" => value::random(sent),
        "GetResourcePolicy" => manage::policy(secrets, sent),
        "GetSecretValue" => value::get(secrets, sent),
        "ListSecretVersionIds" => value::list(secrets, sent),
        "ListSecrets" => manage::list(secrets, sent),
        "PutSecretValue" => value::put(secrets, sent, now),
        "RestoreSecret" => manage::restore(secrets, sent),
        "TagResource" => manage::tag(secrets, sent),
        "UntagResource" => manage::untag(secrets, sent),
        "UpdateSecret" => manage::update(secrets, sent, now),
        "UpdateSecretVersionStage" => value::update_stage(secrets, sent, now),
        other => Err(Refusal::of("UnknownOperationException", format!("The emulator has no {other}."))),
    }
}

/// Whether what an action encrypts or reads can be, with the key of its secret. Another key has what there is encrypted anew.
fn encrypted(secrets: &mut Secrets, keys: &Keys, action: &str, sent: &Fields) -> Result<(), Refusal> {
    let encrypts = |key: Option<&str>| match key.filter(|key| !keys.encrypts(key)) {
        Some(key) => {
            Err(Refusal::of("EncryptionFailure", format!("The key {key} is not there, not enabled, or not for that.")))
        }
        None => Ok(()),
    };
    let decrypts =
        |key: Option<&str>| encrypts(key).map_err(|refusal| Refusal { code: "DecryptionFailure", ..refusal });
    match action {
        "CreateSecret" if content(sent)?.is_some() => encrypts(manage::key(sent)?.as_deref()),
        "GetSecretValue" => decrypts(secrets.living(sent)?.kms_key.as_deref()),
        "PutSecretValue" => encrypts(secrets.living(sent)?.kms_key.as_deref()),
        "UpdateSecret" => {
            let (key, is_new_version, secret) = (manage::key(sent)?, content(sent)?.is_some(), secrets.living(sent)?);
            match key {
                Some(key) => {
                    if !secret.versions.is_empty() {
                        decrypts(secret.kms_key.as_deref())?;
                    }
                    encrypts(Some(&key))
                }
                None if is_new_version => encrypts(secret.kms_key.as_deref()),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

impl Secrets {
    /// The secret that a request names, by name, by ARN, or by ARN without its last six characters.
    fn find(&mut self, sent: &Fields) -> Result<&mut Secret, Refusal> {
        let id = sent.required("SecretId", "InvalidParameterException")?;
        let is_it = |secret: &Secret| {
            secret.name == id || secret.arn == id || secret.arn.len() == id.len() + 7 && secret.arn.starts_with(id)
        };
        self.held
            .values_mut()
            .find(|secret| is_it(secret))
            .ok_or_else(|| Refusal::of("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))
    }

    /// The same, which must not be deleted.
    fn living(&mut self, sent: &Fields) -> Result<&mut Secret, Refusal> {
        let secret = self.find(sent)?;
        match secret.gone {
            None => Ok(secret),
            Some(_) => Err(Refusal::of(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            )),
        }
    }

    /// The ARN of the customer's key that the secret of an ARN is encrypted with, if it is one.
    pub fn key(&self, arn: &str, keys: &Keys) -> Option<String> {
        let secret = self.held.values().find(|secret| secret.arn == arn)?;
        secret.kms_key.as_deref().filter(|key| !keys.is_of_aws(key)).and_then(|key| keys.arn_of(key))
    }

    /// The text that counts of the secret of an ARN, if it is there and can be read with its key.
    pub fn text(&self, arn: &str, keys: &Keys) -> Option<&str> {
        let secret = self.held.values().find(|secret| secret.arn == arn && secret.gone.is_none())?;
        if secret.kms_key.as_deref().is_some_and(|key| !keys.encrypts(key)) {
            return None;
        }
        match &secret.versions.get(secret.with_stage(CURRENT)?)?.content {
            Content::Text(text) => Some(text),
            Content::Binary(_) => None,
        }
    }

    /// An ARN ends with six characters that nobody can guess, so that a secret made anew is another one. Here they are a number.
    fn arn(&mut self, region: &str, name: &str) -> String {
        self.made += 1;
        format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-{:06}", self.made)
    }
}

impl Secret {
    /// The version with a label.
    fn with_stage(&self, stage: &str) -> Option<&String> {
        self.versions.iter().find(|(_, version)| version.stages.contains(stage)).map(|(id, _)| id)
    }

    /// Moves a label to a version. What was current becomes previous by itself.
    fn label(&mut self, stage: &str, to: &str) {
        let before = self.with_stage(stage).cloned();
        self.versions.values_mut().for_each(|version| {
            version.stages.remove(stage);
        });
        if let Some(version) = self.versions.get_mut(to) {
            version.stages.insert(stage.to_owned());
        }
        if stage == CURRENT
            && let Some(before) = before.filter(|before| before != to)
        {
            self.label(PREVIOUS, &before);
        }
    }

    fn stages(&self) -> Value {
        let labelled = self.versions.iter().filter(|(_, version)| !version.stages.is_empty());
        json!(labelled.map(|(id, version)| (id, &version.stages)).collect::<BTreeMap<_, _>>())
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::of("InvalidParameterException", message)
}

/// The token of a request. SDKs make one up where nobody says it; over the wire it is required.
fn token(sent: &Fields) -> Result<String, Refusal> {
    let token = sent
        .text("ClientRequestToken")?
        .ok_or_else(|| invalid("You must provide a ClientRequestToken value. We recommend a UUID-type value."))?;
    match (32..=64).contains(&token.len()) {
        true => Ok(token.to_owned()),
        false => Err(invalid("ClientRequestToken must be 32-64 characters long.")),
    }
}

/// What a request wants kept.
fn content(sent: &Fields) -> Result<Option<Content>, Refusal> {
    let content = match (sent.text("SecretString")?, sent.text("SecretBinary")?) {
        (Some(_), Some(_)) => {
            return Err(invalid("You can't specify both a binary secret value and a string secret value."));
        }
        (Some(text), None) => Content::Text(text.to_owned()),
        (None, Some(bytes)) => Content::Binary(bytes.to_owned()),
        (None, None) => return Ok(None),
    };
    let (Content::Text(held) | Content::Binary(held)) = &content;
    match (1..=65_536).contains(&held.len()) {
        true => Ok(Some(content)),
        false => Err(invalid("A secret holds 1 to 65536 bytes.")),
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
