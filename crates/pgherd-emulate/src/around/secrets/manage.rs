//! Secrets as a whole: made, described, deleted and had back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CURRENT, Secret, Secrets, Version, content, invalid, seconds, token};
use crate::around::{Tags, most, page, tags_of};
use crate::clock::later;
use crate::wire::{Fields, Refusal};

/// `CreateSecret`. Repeated with the same token and content it is done once.
pub fn create(secrets: &mut Secrets, region: &str, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let name = sent.required("Name", "InvalidParameterException")?.to_owned();
    named(&name)?;
    let (token, content) = (token(sent)?, content(sent)?);
    let tags = tags_of(sent, "Tags", "InvalidParameterException")?;
    if let Some(there) = secrets.held.get(&name) {
        if there.gone.is_some() {
            return Err(Refusal::of(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        let is_same = there.versions.get(&token).is_some_and(|version| Some(&version.content) == content.as_ref());
        return match is_same {
            true => Ok(json!({ "ARN": there.arn, "Name": name, "VersionId": token })),
            false => Err(Refusal::of(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            )),
        };
    }
    let mut secret = Secret {
        arn: secrets.arn(region, &name),
        name: name.clone(),
        description: sent.text("Description")?.map(str::to_owned),
        kms_key: key(sent)?,
        tags,
        created: now,
        changed: now,
        gone: None,
        versions: Default::default(),
    };
    let mut answer = json!({ "ARN": secret.arn, "Name": name });
    if let Some(content) = content {
        answer["VersionId"] = json!(token);
        secret.versions.insert(token, Version { content, stages: [CURRENT.to_owned()].into(), created: now });
    }
    secrets.held.insert(name, secret);
    Ok(answer)
}

/// The key that a secret is to have: not one of another service, which that alone may use.
pub fn key(sent: &Fields) -> Result<Option<String>, Refusal> {
    let Some(key) = sent.text("KmsKeyId")? else { return Ok(None) };
    let name = key.rsplit([':', '/']).next().unwrap_or(key);
    let is_of_a_service = key.contains("alias/aws/") || name.starts_with("of-alias-aws-");
    match is_of_a_service && !key.ends_with("secretsmanager") {
        true => Err(Refusal::of("AccessDeniedException", "Access to KMS is not allowed")),
        false => Ok(Some(key.to_owned())),
    }
}

/// `DescribeSecret`, of deleted ones as well.
pub fn describe(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let secret = secrets.find(sent)?;
    let mut answer = shown(secret);
    answer["VersionIdsToStages"] = secret.stages();
    Ok(answer)
}

/// `GetResourcePolicy`: none, since none can be put.
pub fn policy(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let secret = secrets.living(sent)?;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}

/// `ListSecrets`, by the beginning of their names or by tags.
pub fn list(secrets: &Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let with_deleted = sent.bool("IncludePlannedDeletion")?.unwrap_or(false);
    let mut filters = Vec::new();
    for filter in sent.structures("Filters")? {
        let key = filter.required("Key", "InvalidParameterException")?.to_owned();
        if !["name", "tag-key", "tag-value", "description"].contains(&key.as_str()) {
            return Err(invalid(format!("The emulator has no filter {key}.")));
        }
        filters.push((key, filter.texts("Values")?.unwrap_or_default()));
    }
    let holds = |secret: &Secret, key: &str, value: &str| match key {
        "name" => secret.name.starts_with(value),
        "tag-key" => secret.tags.keys().any(|key| key.starts_with(value)),
        "tag-value" => secret.tags.values().any(|held| held.starts_with(value)),
        _ => secret.description.as_ref().is_some_and(|words| words.starts_with(value)),
    };
    let found = secrets.held.values().filter(|secret| {
        (with_deleted || secret.gone.is_none())
            && filters.iter().all(|(key, values)| values.iter().any(|value| holds(secret, key, value)))
    });
    let shown = found.map(|secret| {
        let mut shown = shown(secret);
        shown["SecretVersionsToStages"] = secret.stages();
        shown
    });
    let most = most(sent.int("MaxResults")?, 100, 100, "InvalidParameterException")?;
    let (page, next) = page(shown.collect(), most, sent.text("NextToken")?, "InvalidNextTokenException")?;
    let mut answer = json!({ "SecretList": page });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// `UpdateSecret`: its words, its key, or a new version that counts.
pub fn update(secrets: &mut Secrets, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let content = content(sent)?;
    let token = content.is_some().then(|| token(sent)).transpose()?;
    let secret = secrets.living(sent)?;
    if let (Some(content), Some(token)) = (content, &token) {
        super::value::keep(secret, token, content, &[CURRENT.to_owned()], now)?;
    }
    if let Some(words) = sent.text("Description")? {
        secret.description = Some(words.to_owned());
    }
    if let Some(key) = key(sent)? {
        secret.kms_key = Some(key);
    }
    secret.changed = now;
    let mut answer = json!({ "ARN": secret.arn, "Name": secret.name });
    if let Some(token) = token {
        answer["VersionId"] = json!(token);
    }
    Ok(answer)
}

/// `DeleteSecret`: gone after 7 to 30 days, in which it can be had back and its name is taken; or at once.
pub fn delete(secrets: &mut Secrets, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let days = sent.int("RecoveryWindowInDays")?;
    let at_once = sent.bool("ForceDeleteWithoutRecovery")?.unwrap_or(false);
    if at_once && days.is_some() {
        return Err(invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."));
    }
    let days = days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
    }
    if at_once {
        let secret = secrets.find(sent)?.clone();
        secrets.held.remove(&secret.name);
        return Ok(json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(now) }));
    }
    let secret = secrets.living(sent)?;
    let gone = later(now, SignedDuration::from_hours(24 * days));
    secret.gone = Some(gone);
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(gone) }))
}

/// `RestoreSecret`.
pub fn restore(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let secret = secrets.find(sent)?;
    secret.gone = None;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}

/// `TagResource`.
pub fn tag(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let more = tags_of(sent, "Tags", "InvalidParameterException")?;
    let secret = secrets.living(sent)?;
    let all: Tags = secret.tags.clone().into_iter().chain(more).collect();
    if all.len() > 50 {
        return Err(invalid("There can be at most 50 tags."));
    }
    secret.tags = all;
    Ok(json!({}))
}

/// `UntagResource`.
pub fn untag(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let keys = sent.texts("TagKeys")?.ok_or_else(|| invalid("TagKeys is required."))?;
    secrets.living(sent)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

fn named(name: &str) -> Result<(), Refusal> {
    let fits = (1..=512).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte));
    fits.then_some(()).ok_or_else(|| {
        Refusal::of(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )
    })
}

fn shown(secret: &Secret) -> Value {
    let tags: Vec<_> = secret.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let mut shown = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": seconds(secret.created),
        "LastChangedDate": seconds(secret.changed),
        "Tags": tags,
    });
    if let Some(words) = &secret.description {
        shown["Description"] = json!(words);
    }
    if let Some(key) = &secret.kms_key {
        shown["KmsKeyId"] = json!(key);
    }
    if let Some(gone) = secret.gone {
        shown["DeletedDate"] = json!(seconds(gone));
    }
    shown
}
