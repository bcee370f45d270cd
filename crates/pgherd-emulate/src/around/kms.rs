//! KMS: keys and their other names. Nothing is encrypted here.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::clock::later;
use crate::rds::state::ACCOUNT;
use crate::wire::{Fields, Refusal};

/// The keys of a region.
#[derive(Debug, Clone)]
pub struct Keys {
    region: String,
    /// Keys by id.
    held: BTreeMap<String, Key>,
    /// The key of each alias, which begins with `alias/`.
    aliases: BTreeMap<String, String>,
    made: u64,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    description: String,
    spec: String,
    usage: String,
    is_aws: bool,
    is_enabled: bool,
    created: Timestamp,
    /// When it is gone, if it was deleted.
    gone: Option<Timestamp>,
}

/// Keys that services make for themselves, and that are there as soon as somebody asks.
const OF_SERVICES: [&str; 5] =
    ["alias/aws/lambda", "alias/aws/rds", "alias/aws/secretsmanager", "alias/aws/sns", "alias/aws/ssm"];

impl Keys {
    /// The keys that services have.
    pub fn of(region: &str) -> Self {
        let mut keys = Self { region: region.to_owned(), held: BTreeMap::new(), aliases: BTreeMap::new(), made: 0 };
        for alias in OF_SERVICES {
            let id = format!("of-{}", alias.replace('/', "-"));
            let key = Key {
                description: format!("Default key for {}", alias.trim_start_matches("alias/aws/")),
                spec: "SYMMETRIC_DEFAULT".to_owned(),
                usage: "ENCRYPT_DECRYPT".to_owned(),
                is_aws: true,
                is_enabled: true,
                created: crate::emulation::BEGINNING,
                gone: None,
            };
            keys.held.insert(id.clone(), key);
            keys.aliases.insert(alias.to_owned(), id);
        }
        keys
    }

    /// The ARN of the key that somebody named, however.
    pub fn arn_of(&self, named: &str) -> Option<String> {
        self.find(named).ok().map(|id| self.arn(&id))
    }

    /// Whether data can be encrypted with the key that somebody named: there, enabled, and a symmetric one.
    pub fn encrypts(&self, named: &str) -> bool {
        let key = self.find(named).ok().and_then(|id| self.held.get(&id));
        key.is_some_and(|key| {
            let is_for_that = key.usage == "ENCRYPT_DECRYPT" && key.spec == "SYMMETRIC_DEFAULT";
            is_for_that && key.is_enabled && key.gone.is_none()
        })
    }

    /// Whether the key that somebody named is one that a service made for itself.
    pub fn is_of_aws(&self, named: &str) -> bool {
        self.find(named).ok().and_then(|id| self.held.get(&id)).is_some_and(|key| key.is_aws)
    }

    fn arn(&self, id: &str) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT}:key/{id}", self.region)
    }

    /// The id of a key, by id, ARN, alias, or the alias' ARN.
    fn find(&self, named: &str) -> Result<String, Refusal> {
        let local = match named.strip_prefix("arn:") {
            None => named,
            Some(_) => {
                let prefix = format!("arn:aws:kms:{}:{ACCOUNT}:", self.region);
                named.strip_prefix(&prefix).ok_or_else(|| missing(format!("Invalid arn {}", region_of(named))))?
            }
        };
        if local.starts_with("alias/") {
            let arn = format!("arn:aws:kms:{}:{ACCOUNT}:{local}", self.region);
            return self.aliases.get(local).cloned().ok_or_else(|| missing(format!("Alias {arn} is not found.")));
        }
        let id = local.strip_prefix("key/").unwrap_or(local);
        self.held
            .contains_key(id)
            .then(|| id.to_owned())
            .ok_or_else(|| missing(format!("Key '{}' does not exist", self.arn(id))))
    }
}

/// The answer to a request.
pub fn answer(keys: &mut Keys, action: &str, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    keys.held.retain(|_, key| key.gone.is_none_or(|gone| now < gone));
    keys.aliases.retain(|_, id| keys.held.contains_key(id));
    match action {
        "CancelKeyDeletion" => changed(keys, sent, |key| {
            key.gone = None;
            // What was to be deleted comes back disabled.
            key.is_enabled = false;
        }),
        "CreateAlias" => create_alias(keys, sent),
        "CreateKey" => create(keys, sent, now),
        "DeleteAlias" => {
            let alias = sent.required("AliasName", "ValidationException")?;
            let arn = format!("arn:aws:kms:{}:{ACCOUNT}:{alias}", keys.region);
            let removed = keys.aliases.remove(alias);
            removed.map(|_| json!({})).ok_or_else(|| missing(format!("Alias {arn} is not found.")))
        }
        "DescribeKey" => {
            let id = keys.find(sent.required("KeyId", "ValidationException")?)?;
            Ok(json!({ "KeyMetadata": shown(keys, &id) }))
        }
        "DisableKey" => changed(keys, sent, |key| key.is_enabled = false).map(|_| json!({})),
        "EnableKey" => changed(keys, sent, |key| key.is_enabled = true).map(|_| json!({})),
        "ListAliases" => {
            let shown = |(alias, id): (&String, &String)| {
                let arn = format!("arn:aws:kms:{}:{ACCOUNT}:{alias}", keys.region);
                json!({ "AliasName": alias, "AliasArn": arn, "TargetKeyId": id })
            };
            Ok(json!({ "Aliases": keys.aliases.iter().map(shown).collect::<Vec<_>>(), "Truncated": false }))
        }
        "ScheduleKeyDeletion" => schedule_deletion(keys, sent, now),
        other => Err(Refusal::of("UnknownOperationException", format!("The emulator has no {other}."))),
    }
}

fn create(keys: &mut Keys, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    keys.made += 1;
    let id = format!("00000000-0000-4000-a000-{:012x}", keys.made);
    let key = Key {
        description: sent.text("Description")?.unwrap_or_default().to_owned(),
        spec: sent.text("KeySpec")?.unwrap_or("SYMMETRIC_DEFAULT").to_owned(),
        usage: sent.text("KeyUsage")?.unwrap_or("ENCRYPT_DECRYPT").to_owned(),
        is_aws: false,
        is_enabled: true,
        created: now,
        gone: None,
    };
    keys.held.insert(id.clone(), key);
    Ok(json!({ "KeyMetadata": shown(keys, &id) }))
}

fn create_alias(keys: &mut Keys, sent: &Fields) -> Result<Value, Refusal> {
    let alias = sent.required("AliasName", "ValidationException")?.to_owned();
    let target = sent.required("TargetKeyId", "ValidationException")?;
    let plain = alias.strip_prefix("alias/").is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with("aws/")
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    });
    if !plain {
        let message = "Alias must start with the prefix \"alias/\", and must not be alias/aws/.";
        return Err(Refusal::of("InvalidAliasNameException", message));
    }
    let id = keys.find(target)?;
    if keys.aliases.contains_key(&alias) {
        let message = format!("An alias with the name arn:aws:kms:{}:{ACCOUNT}:{alias} already exists", keys.region);
        return Err(Refusal::of("AlreadyExistsException", message));
    }
    keys.aliases.insert(alias, id);
    Ok(json!({}))
}

fn schedule_deletion(keys: &mut Keys, sent: &Fields, now: Timestamp) -> Result<Value, Refusal> {
    let days = sent.int("PendingWindowInDays")?.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(Refusal::of("ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive)."));
    }
    let gone = later(now, SignedDuration::from_hours(24 * days));
    let answer = changed(keys, sent, |key| {
        key.gone = Some(gone);
        key.is_enabled = false;
    })?;
    Ok(json!({
        "KeyId": answer["KeyId"],
        "DeletionDate": gone.as_duration().as_secs_f64(),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

/// Changes a key, which must be the customer's own and, but for cancelling, not be deleted.
fn changed(keys: &mut Keys, sent: &Fields, change: impl FnOnce(&mut Key)) -> Result<Value, Refusal> {
    let id = keys.find(sent.required("KeyId", "ValidationException")?)?;
    let arn = keys.arn(&id);
    match keys.held.get_mut(&id) {
        Some(key) if key.is_aws => {
            Err(Refusal::of("AccessDeniedException", format!("{arn} is managed by AWS and can't be changed.")))
        }
        Some(key) => {
            change(key);
            Ok(json!({ "KeyId": arn }))
        }
        None => Err(missing(format!("Key '{arn}' does not exist"))),
    }
}

fn missing(message: String) -> Refusal {
    Refusal::of("NotFoundException", message)
}

fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

fn shown(keys: &Keys, id: &str) -> Value {
    let Some(key) = keys.held.get(id) else { return Value::Null };
    let state = match (key.gone, key.is_enabled) {
        (Some(_), _) => "PendingDeletion",
        (None, true) => "Enabled",
        (None, false) => "Disabled",
    };
    let mut shown = json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": keys.arn(id),
        "CreationDate": key.created.as_duration().as_secs_f64(),
        "Enabled": key.is_enabled,
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": state,
        "Origin": "AWS_KMS",
        "KeyManager": if key.is_aws { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "EncryptionAlgorithms": [key.spec],
        "MultiRegion": false,
    });
    if let Some(gone) = key.gone {
        shown["DeletionDate"] = json!(gone.as_duration().as_secs_f64());
    }
    shown
}
