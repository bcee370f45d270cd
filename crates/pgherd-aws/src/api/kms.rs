//! KMS: what a key is called in full.

use pgherd_http::Safety;
use serde_json::json;

use crate::protocol::error::AwsError;
use crate::service::Service;
use crate::session::Session;

/// The ARN of a key that somebody calls by an alias; `None` where there is none of that name.
pub(crate) async fn key_arn(session: &Session, region: &str, name: &str) -> Result<Option<String>, AwsError> {
    let body = json!({ "KeyId": name });
    match session.json(Service::Kms, region, "DescribeKey", &body, Safety::Repeatable).await {
        Ok(answer) => Ok(answer["KeyMetadata"]["Arn"].as_str().map(str::to_owned)),
        Err(error) if error.is("NotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}
