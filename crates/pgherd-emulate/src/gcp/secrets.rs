//! Secret Manager: secrets and their versions.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use super::{Call, Google, Refusal, Said, schema};

/// A secret.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// What is in it, oldest first.
    pub versions: Vec<Vec<u8>>,
    etag: u64,
}

impl Held {
    fn shown(&self, project: &str, name: &str) -> Json {
        json!({
            "name": format!("projects/{project}/secrets/{name}"),
            "replication": { "automatic": {} },
            "createTime": "2026-01-01T00:00:00Z",
            "labels": self.labels,
            "annotations": self.annotations,
            "etag": format!("\"{}\"", self.etag),
        })
    }
}

fn map(of: &Json) -> BTreeMap<String, String> {
    let entries = of.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

impl Google {
    pub(super) fn secret(&mut self, project: &str, name: &str) -> Result<&mut Held, Refusal> {
        let absent = || Refusal::absent(format!("Secret [projects/{project}/secrets/{name}] not found."));
        self.secrets.get_mut(name).ok_or_else(absent)
    }

    pub(super) fn create_secret(&mut self, project: &str, call: &Call<'_>) -> Said {
        schema::check("Secret", call.body)?;
        let name = call.asked("secretId").unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if name.is_empty() || name.len() > 255 || !name.chars().all(fits) || !call.body["replication"].is_object() {
            return Err(Refusal::invalid("The secret id or its replication is invalid."));
        }
        if self.secrets.contains_key(&name) {
            return Err(Refusal::new(
                409,
                "alreadyExists",
                format!("Secret [projects/{project}/secrets/{name}] already exists."),
            ));
        }
        let held = Held {
            labels: map(&call.body["labels"]),
            annotations: map(&call.body["annotations"]),
            etag: 1,
            versions: Vec::new(),
        };
        let shown = held.shown(project, &name);
        self.secrets.insert(name, held);
        Ok((200, shown))
    }

    pub(super) fn get_secret(&mut self, project: &str, name: &str) -> Said {
        Ok((200, self.secret(project, name)?.shown(project, name)))
    }

    pub(super) fn patch_secret(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("Secret", call.body)?;
        let mask = call.asked("updateMask").unwrap_or_default();
        let held = self.secret(project, name)?;
        let sent = call.body["etag"].as_str();
        if sent.is_some_and(|sent| sent != format!("\"{}\"", held.etag)) {
            return Err(Refusal::new(400, "failedPrecondition", "The etag is not the current one."));
        }
        for field in mask.split(',') {
            match field {
                "labels" => held.labels = map(&call.body["labels"]),
                "annotations" => held.annotations = map(&call.body["annotations"]),
                other => return Err(Refusal::invalid(format!("Invalid update mask ({other})."))),
            }
        }
        held.etag += 1;
        Ok((200, held.shown(project, name)))
    }

    pub(super) fn delete_secret(&mut self, project: &str, name: &str) -> Said {
        self.secret(project, name)?;
        self.secrets.remove(name);
        Ok((200, json!({})))
    }

    pub(super) fn add_version(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("AddSecretVersionRequest", call.body)?;
        let held = self.secret(project, name)?;
        let payload = &call.body["payload"];
        let data = BASE64.decode(payload["data"].as_str().unwrap_or_default());
        let data = data.map_err(|_| Refusal::invalid("The payload is no base64."))?;
        if payload["dataCrc32c"].as_str().is_some_and(|sum| sum != crc32c(&data).to_string()) {
            return Err(Refusal::invalid("The checksum of the payload is not its own."));
        }
        held.versions.push(data);
        let version = held.versions.len();
        let name = format!("projects/{project}/secrets/{name}/versions/{version}");
        Ok((200, json!({ "name": name, "state": "ENABLED", "createTime": "2026-01-01T00:00:00Z" })))
    }

    pub(super) fn access(&mut self, project: &str, name: &str, version: &str) -> Said {
        let held = self.secret(project, name)?;
        let number = match version {
            "latest" => held.versions.len(),
            number => number.parse().unwrap_or_default(),
        };
        let data = number.checked_sub(1).and_then(|index| held.versions.get(index));
        let data = data.ok_or_else(|| Refusal::absent(format!("Secret Version [{version}] not found.")))?;
        let payload = json!({ "data": BASE64.encode(data), "dataCrc32c": crc32c(data).to_string() });
        Ok((200, json!({ "name": format!("projects/{project}/secrets/{name}/versions/{number}"), "payload": payload })))
    }
}

/// Castagnoli's checksum, by its table.
fn crc32c(data: &[u8]) -> u32 {
    let row = |index: u32| (0..8).fold(index, |row, _| if row % 2 == 1 { (row >> 1) ^ 0x82F6_3B78 } else { row >> 1 });
    let table: Vec<u32> = (0..256).map(row).collect();
    let mut sum = 0xFFFF_FFFF_u32;
    for byte in data {
        sum = table[usize::from(sum.to_le_bytes()[0] ^ byte)] ^ (sum >> 8);
    }
    sum ^ 0xFFFF_FFFF
}
