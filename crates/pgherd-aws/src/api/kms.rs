//! KMS: what a key is called in full.

use pgherd_http::Safety;
use serde_json::json;

use crate::protocol::error::AwsError;
use crate::service::Service;
use crate::session::Session;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// `Enabled`, `Disabled`, `PendingDeletion`, …
    pub(crate) state: String,
    /// `SYMMETRIC_DEFAULT`, `RSA_2048`, …
    pub(crate) spec: String,
    /// `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, …
    pub(crate) usage: String,
    /// `CUSTOMER`, or `AWS` for one that only the service it was made for may use.
    pub(crate) manager: String,
}

/// What is known of a key, however it is called; `None` where there is none of that name.
pub(crate) async fn key(session: &Session, region: &str, name: &str) -> Result<Option<Key>, AwsError> {
    let body = json!({ "KeyId": name });
    match session.json(Service::Kms, region, "DescribeKey", &body, Safety::Repeatable).await {
        Ok(answer) => {
            let text = |name: &str| answer["KeyMetadata"][name].as_str().unwrap_or_default().to_owned();
            Ok(Some(Key {
                state: text("KeyState"),
                spec: text("KeySpec"),
                usage: text("KeyUsage"),
                manager: text("KeyManager"),
            }))
        }
        Err(error) if error.is("NotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

/// The ARN of a key that somebody calls by an alias; `None` where there is none of that name.
pub(crate) async fn key_arn(session: &Session, region: &str, name: &str) -> Result<Option<String>, AwsError> {
    let body = json!({ "KeyId": name });
    match session.json(Service::Kms, region, "DescribeKey", &body, Safety::Repeatable).await {
        Ok(answer) => Ok(answer["KeyMetadata"]["Arn"].as_str().map(str::to_owned)),
        Err(error) if error.is("NotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}
