//! What a secret holds: versions put beside each other, and labels moved between them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CURRENT, Content, Secret, Secrets, Version, content, invalid, seconds, token};
use crate::around::{most, page};
use crate::wire::{Fields, Refusal};

/// `GetSecretValue`: by version, by label, or what counts.
pub fn get(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let secret = secrets.living(sent)?;
    let (id, stage) = (sent.text("VersionId")?, sent.text("VersionStage")?);
    let labelled = |stage: &str| {
        secret.with_stage(stage).cloned().ok_or_else(|| {
            missing(format!("Secrets Manager can't find the specified secret value for staging label: {stage}"))
        })
    };
    let id = match (id, stage) {
        (None, stage) => labelled(stage.unwrap_or(CURRENT))?,
        (Some(id), None) => id.to_owned(),
        (Some(id), Some(stage)) if labelled(stage)? == id => id.to_owned(),
        (Some(_), Some(_)) => {
            return Err(invalid("You provided a VersionStage that is not associated to the provided VersionId."));
        }
    };
    let version = secret
        .versions
        .get(&id)
        .ok_or_else(|| missing(format!("Secrets Manager can't find the specified secret value for VersionId: {id}")))?;
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": id,
        "VersionStages": version.stages,
        "CreatedDate": seconds(version.created),
    });
    match &version.content {
        Content::Text(text) => answer["SecretString"] = json!(text),
        Content::Binary(bytes) => answer["SecretBinary"] = json!(bytes),
    }
    Ok(answer)
}

/// `PutSecretValue`: a version of its own for each token. Repeated with the same content it is done once.
pub fn put(secrets: &mut Secrets, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let token = token(sent)?;
    let content = content(sent)?.ok_or_else(|| invalid("You must provide either SecretString or SecretBinary."))?;
    let stages = sent.texts("VersionStages")?.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    if !(1..=20).contains(&stages.len()) || stages.iter().any(|stage| !(1..=256).contains(&stage.len())) {
        return Err(invalid("There can be 1 to 20 staging labels of 1 to 256 characters."));
    }
    let secret = secrets.living(sent)?;
    keep(secret, &token, content, &stages, now)?;
    let stages = &secret.versions[&token].stages;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": stages }))
}

/// Keeps a version with its labels, which others lose.
pub fn keep(
    secret: &mut Secret,
    token: &str,
    content: Content,
    stages: &[String],
    now: Timestamp,
) -> Result<(), Refusal> {
    match secret.versions.get(token) {
        Some(there) if there.content == content => return Ok(()),
        Some(_) => {
            return Err(Refusal::of(
                "ResourceExistsException",
                "You can't modify an existing version, you can only create a new version.",
            ));
        }
        None => {}
    }
    secret.versions.insert(token.to_owned(), Version { content, stages: Default::default(), created: now });
    stages.iter().for_each(|stage| secret.label(stage, token));
    // The first version counts, whatever it was labelled.
    if secret.with_stage(CURRENT).is_none() {
        secret.label(CURRENT, token);
    }
    secret.changed = now;
    forget(secret);
    Ok(())
}

/// `UpdateSecretVersionStage`: a label goes from one version to another, and both must be said.
pub fn update_stage(secrets: &mut Secrets, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let stage = sent.required("VersionStage", "InvalidParameterException")?;
    let (from, to) = (sent.text("RemoveFromVersionId")?, sent.text("MoveToVersionId")?);
    let secret = secrets.living(sent)?;
    for id in [from, to].into_iter().flatten() {
        if !secret.versions.contains_key(id) {
            return Err(missing(format!("Secrets Manager can't find the specified secret version: {id}")));
        }
    }
    let holder = secret.with_stage(stage).cloned();
    if let Some(holder) = holder.as_deref().filter(|holder| Some(*holder) != from) {
        return Err(invalid(format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )));
    }
    if let (Some(from), None) = (from, &holder) {
        return Err(invalid(format!("Staging label {stage} is not attached to version {from}.")));
    }
    match to {
        Some(to) => secret.label(stage, to),
        None if stage == CURRENT => {
            return Err(invalid(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
            ));
        }
        None => secret.versions.values_mut().for_each(|version| {
            version.stages.remove(stage);
        }),
    }
    secret.changed = now;
    forget(secret);
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}

/// `ListSecretVersionIds`.
pub fn list(secrets: &mut Secrets, sent: &Fields) -> Result<Value, Refusal> {
    let all = sent.bool("IncludeDeprecated")?.unwrap_or(false);
    let secret = secrets.find(sent)?;
    let found = secret.versions.iter().filter(|(_, version)| all || !version.stages.is_empty());
    let shown = found.map(|(id, version)| {
        json!({ "VersionId": id, "VersionStages": version.stages, "CreatedDate": seconds(version.created) })
    });
    let most = most(sent.int("MaxResults")?, 100, 100, "InvalidParameterException")?;
    let (page, next) = page(shown.collect(), most, sent.text("NextToken")?, "InvalidNextTokenException")?;
    let mut answer = json!({ "ARN": secret.arn, "Name": secret.name, "Versions": page });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// `GetRandomPassword`: nothing random about it, and said so by its beginning.
pub fn random(sent: &Fields) -> Result<Value, Refusal> {
    let length = sent.int("PasswordLength")?.unwrap_or(32);
    let length = usize::try_from(length).ok().filter(|length| (1..=4096).contains(length));
    let length = length.ok_or_else(|| invalid("PasswordLength must be 1 to 4096."))?;
    Ok(json!({ "RandomPassword": "Emulated-1".chars().cycle().take(length).collect::<String>() }))
}

/// Versions without a label may go at any time; a hundred of them are kept.
fn forget(secret: &mut Secret) {
    let mut bare: Vec<_> = secret.versions.iter().filter(|(_, version)| version.stages.is_empty()).collect();
    bare.sort_by_key(|(_, version)| version.created);
    let surplus = bare.len().saturating_sub(100);
    let gone: Vec<_> = bare.into_iter().take(surplus).map(|(id, _)| id.clone()).collect();
    gone.iter().for_each(|id| {
        secret.versions.remove(id);
    });
}

fn missing(message: String) -> Refusal {
    Refusal::of("ResourceNotFoundException", message)
}
