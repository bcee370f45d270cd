//! Secrets of a vault. A version is a JSON document with everything a program needs to connect, and wears tags of its own. What is
//! deleted is kept for a while, and its name with it.

use pgherd_core::secret::Secret;
use serde_json::{Value as Json, json};

use super::text;
use crate::call::segment;
use crate::error::AzureError;
use crate::names::last;
use crate::session::{Asked, Session};
use crate::tags::{self, Tags};

const VERSION: &str = "api-version=7.5";

/// A secret with what is in its newest version.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) document: Document,
    pub(crate) tags: Tags,
    /// The name of that version.
    pub(crate) version: String,
}

/// What is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) dbname: Option<String>,
}

impl Document {
    fn read(value: &str) -> Self {
        let told: Json = serde_json::from_str(value).unwrap_or_default();
        Self {
            username: text(&told, "username"),
            password: text(&told, "password").map(Secret::new),
            host: text(&told, "host"),
            port: told["port"].as_u64().and_then(|port| u16::try_from(port).ok()),
            dbname: text(&told, "dbname"),
        }
    }

    fn value(&self) -> String {
        json!({
            "username": self.username,
            "password": self.password.as_ref().and_then(Secret::reveal),
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
        })
        .to_string()
    }
}

fn path(kind: &str, name: &str, rest: &str) -> String {
    format!("{kind}/{}{rest}?{VERSION}", segment(name))
}

/// A secret by its name.
pub(crate) async fn secret(session: &Session, vault: &str, name: &str) -> Result<Option<Held>, AzureError> {
    let found = session.find(Asked::Vault(vault, &path("secrets", name, ""))).await?;
    Ok(found.map(|told| Held {
        document: Document::read(told["value"].as_str().unwrap_or_default()),
        tags: tags::read(&told["tags"]),
        version: text(&told, "id").map(|id| last(&id).to_owned()).unwrap_or_default(),
    }))
}

/// Puts a document in, as a new version with these tags.
pub(crate) async fn put(
    session: &Session,
    vault: &str,
    name: &str,
    document: &Document,
    worn: &Tags,
) -> Result<(), AzureError> {
    let body = json!({ "value": document.value(), "contentType": "application/json", "tags": worn });
    session.put(Asked::Vault(vault, &path("secrets", name, "")), &body).await.map(drop)
}

/// Has a version wear these tags, and no others.
pub(crate) async fn retag(
    session: &Session,
    vault: &str,
    name: &str,
    version: &str,
    worn: &Tags,
) -> Result<(), AzureError> {
    let path = path("secrets", name, &format!("/{}", segment(version)));
    session.patch(Asked::Vault(vault, &path), &json!({ "tags": worn })).await.map(drop)
}

/// Deletes a secret. The vault keeps it for a while.
pub(crate) async fn remove(session: &Session, vault: &str, name: &str) -> Result<(), AzureError> {
    session.delete(Asked::Vault(vault, &path("secrets", name, ""))).await.map(drop)
}

/// A secret that was deleted and is kept.
#[derive(Debug, Clone)]
pub(crate) struct Deleted {
    pub(crate) tags: Tags,
}

/// What was deleted under a name, if it is kept.
pub(crate) async fn deleted(session: &Session, vault: &str, name: &str) -> Result<Option<Deleted>, AzureError> {
    let found = session.find(Asked::Vault(vault, &path("deletedsecrets", name, ""))).await?;
    Ok(found.map(|told| Deleted { tags: tags::read(&told["tags"]) }))
}

/// Has it be there again.
pub(crate) async fn recover(session: &Session, vault: &str, name: &str) -> Result<(), AzureError> {
    session.post(Asked::Vault(vault, &path("deletedsecrets", name, "/recover")), None).await.map(drop)
}
