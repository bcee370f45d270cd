//! Secrets and their versions. A version is a JSON document with everything a program needs to connect.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pgherd_core::secret::Secret;
use serde_json::{Map, Value as Json, json};

use super::{At, labels, text};
use crate::call::segment;
use crate::error::GcpError;
use crate::labels::Labels;
use crate::session::Service::Secrets;

/// A secret without what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) labels: Labels,
    pub(crate) annotations: Labels,
    etag: Option<String>,
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
    fn read(bytes: &[u8]) -> Self {
        let told: Json = serde_json::from_slice(bytes).unwrap_or_default();
        Self {
            username: text(&told, "username"),
            password: text(&told, "password").map(Secret::new),
            host: text(&told, "host"),
            port: told["port"].as_u64().and_then(|port| u16::try_from(port).ok()),
            dbname: text(&told, "dbname"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        json!({
            "username": self.username,
            "password": self.password.as_ref().and_then(Secret::reveal),
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
        })
        .to_string()
        .into_bytes()
    }
}

impl At<'_> {
    fn secret(self, name: &str, rest: &str) -> String {
        format!("v1/projects/{}/secrets/{}{rest}", segment(self.project), segment(name))
    }
}

/// A secret by its name.
pub(crate) async fn secret(at: At<'_>, name: &str) -> Result<Option<Shell>, GcpError> {
    let found = at.session.find(Secrets, &at.secret(name, "")).await?;
    Ok(found.map(|told| Shell {
        labels: labels(&told["labels"]),
        annotations: labels(&told["annotations"]),
        etag: text(&told, "etag"),
    }))
}

/// Makes a secret with nothing in it.
pub(crate) async fn create_secret(at: At<'_>, name: &str, worn: &Labels) -> Result<(), GcpError> {
    let path = format!("v1/projects/{}/secrets?secretId={}", segment(at.project), segment(name));
    let body = json!({ "replication": { "automatic": {} }, "labels": worn });
    at.session.post(Secrets, &path, &body).await.map(drop)
}

/// Gives a secret other labels and annotations, if it is still as it was looked at.
pub(crate) async fn patch_secret(
    at: At<'_>,
    name: &str,
    there: &Shell,
    labels: &Labels,
    annotations: &Labels,
) -> Result<(), GcpError> {
    let mut body = json!({ "labels": labels, "annotations": annotations });
    if let Some(etag) = &there.etag {
        body["etag"] = etag.as_str().into();
    }
    let path = at.secret(name, "?updateMask=labels,annotations");
    at.session.patch_once(Secrets, &path, &body).await.map(drop)
}

/// Deletes a secret, for good.
pub(crate) async fn delete_secret(at: At<'_>, name: &str) -> Result<(), GcpError> {
    match at.session.delete(Secrets, &at.secret(name, "")).await {
        Err(error) if !error.is_absent() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What is in a secret by now; `None`: nothing.
pub(crate) async fn access(at: At<'_>, name: &str) -> Result<Option<Document>, GcpError> {
    let found = at.session.find(Secrets, &at.secret(name, "/versions/latest:access")).await?;
    let read = |told: Json| {
        let data = told["payload"]["data"].as_str().unwrap_or_default().to_owned();
        BASE64.decode(data).map(|bytes| Document::read(&bytes)).unwrap_or_default()
    };
    Ok(found.map(read))
}

/// Puts something into a secret. What was in it stays as an older version.
pub(crate) async fn add_version(at: At<'_>, name: &str, document: &Document) -> Result<(), GcpError> {
    let bytes = document.bytes();
    let payload: Map<String, Json> = [
        ("data".to_owned(), Json::from(BASE64.encode(&bytes))),
        ("dataCrc32c".to_owned(), Json::from(crc32c(&bytes).to_string())),
    ]
    .into_iter()
    .collect();
    at.session.post(Secrets, &at.secret(name, ":addVersion"), &json!({ "payload": payload })).await.map(drop)
}

/// The checksum of Castagnoli (RFC 3720, appendix B.4), by which Secret Manager notices damage on the way.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4, and the usual check value.
    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }
}
