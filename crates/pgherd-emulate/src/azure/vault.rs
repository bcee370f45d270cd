//! The key vault, as far as secrets go. What is deleted is kept, and its name with it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{Azure, Call, Refusal, Said, Told, VAULT};

const RECOVER_S: i64 = 45;

/// A secret.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// What is in it with its tags, oldest first.
    pub versions: Vec<(String, BTreeMap<String, String>)>,
    /// When it will be there again.
    pub recovers_at: Option<Timestamp>,
}

impl Held {
    fn shown(&self, name: &str) -> Json {
        let (value, tags) = self.versions.last().cloned().unwrap_or_default();
        json!({
            "id": format!("https://{VAULT}.vault.azure.net/secrets/{name}/{:032x}", self.versions.len()),
            "value": value,
            "contentType": "application/json",
            "attributes": { "enabled": true, "recoveryLevel": "Recoverable+Purgeable" },
            "tags": tags,
        })
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new(404, "SecretNotFound", format!("A secret with (name/id) {name} was not found in this key vault."))
}

fn tags(of: &Json) -> Result<BTreeMap<String, String>, Refusal> {
    let entries = of["tags"].as_object().into_iter().flatten();
    let tags: Option<BTreeMap<_, _>> =
        entries.map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned()))).collect();
    tags.filter(|tags| tags.len() <= 15).ok_or_else(|| Refusal::new(400, "BadParameter", "The tags are invalid."))
}

impl Azure {
    pub(super) fn get_secret(&self, name: &str) -> Said {
        let held = self.secrets.get(name).ok_or_else(|| absent(name))?;
        Ok(Told::new(200, held.shown(name)))
    }

    pub(super) fn put_secret(&mut self, name: &str, call: &Call<'_>) -> Said {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let value = call.body["value"].as_str().filter(|_| (1..=127).contains(&name.len()) && name.chars().all(fits));
        let value = value.ok_or_else(|| Refusal::new(400, "BadParameter", "The secret is invalid."))?;
        let known = ["value", "tags", "contentType", "attributes"];
        if call.body.as_object().is_none_or(|all| all.keys().any(|field| !known.contains(&field.as_str()))) {
            return Err(Refusal::new(400, "BadParameter", "Property has an unknown name."));
        }
        if self.deleted_secrets.contains_key(name) {
            let message = format!("Secret {name} is currently in a deleted but recoverable state.");
            return Err(Refusal::new(409, "ObjectIsDeletedButRecoverable", message));
        }
        let tags = tags(call.body)?;
        let held = self.secrets.entry(name.to_owned()).or_default();
        held.versions.push((value.to_owned(), tags));
        let shown = held.shown(name);
        Ok(Told::new(200, shown))
    }

    pub(super) fn patch_secret(&mut self, name: &str, version: &str, call: &Call<'_>) -> Said {
        let held = self.secrets.get_mut(name).ok_or_else(|| absent(name))?;
        let number = usize::from_str_radix(version, 16).unwrap_or_default();
        let one = number.checked_sub(1).and_then(|index| held.versions.get_mut(index)).ok_or_else(|| absent(name))?;
        one.1 = tags(call.body)?;
        let mut shown = held.shown(name);
        if let Some(entries) = shown.as_object_mut() {
            entries.remove("value");
        }
        Ok(Told::new(200, shown))
    }

    pub(super) fn delete_secret(&mut self, name: &str) -> Said {
        let held = self.secrets.remove(name).ok_or_else(|| absent(name))?;
        let shown = self.deleted_secrets.entry(name.to_owned()).or_insert(held).shown(name);
        Ok(Told::new(200, without_value(shown)))
    }

    pub(super) fn get_deleted_secret(&self, name: &str) -> Said {
        let held = self.deleted_secrets.get(name).ok_or_else(|| absent(name))?;
        Ok(Told::new(200, without_value(held.shown(name))))
    }

    pub(super) fn recover_secret(&mut self, name: &str, call: &Call<'_>) -> Said {
        let at = call.after(RECOVER_S);
        let held = self.deleted_secrets.get_mut(name).ok_or_else(|| absent(name))?;
        held.recovers_at = Some(held.recovers_at.unwrap_or(at));
        Ok(Told::new(200, without_value(held.shown(name))))
    }

    pub(super) fn recover_due(&mut self, now: Timestamp) {
        let is_due = |held: &Held| held.recovers_at.is_some_and(|at| at <= now);
        let due: Vec<String> =
            self.deleted_secrets.iter().filter(|(_, held)| is_due(held)).map(|(name, _)| name.clone()).collect();
        for name in due {
            if let Some(held) = self.deleted_secrets.remove(&name) {
                self.secrets.insert(name, Held { recovers_at: None, ..held });
            }
        }
    }
}

fn without_value(mut shown: Json) -> Json {
    if let Some(entries) = shown.as_object_mut() {
        entries.remove("value");
    }
    shown
}
