//! What a call in a second region takes of the first one: the key there by its ARN, and the first region's permission.

use std::time::Duration;

use pgherd_core::secret::Secret;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::kms;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::service::Service;

/// So long the permission is good for; as long as AWS's own clients give it.
const PERMITTED: Duration = Duration::from_secs(3600);

/// The key that somebody names, by its ARN there.
pub(super) async fn key(aws: &Aws, region: &str, named: Option<&Value>) -> Result<Option<String>, ProviderError> {
    let Some(named) = named.and_then(Value::as_text) else { return Ok(None) };
    if named.starts_with("arn:") && !named.contains(":alias/") {
        return Ok(Some(named.to_owned()));
    }
    match kms::key_arn(aws.session(), region, named).await? {
        Some(arn) => Ok(Some(arn)),
        None => {
            let message = format!("{region} has no key {named}, and what is encrypted stays so in a second region");
            Err(ProviderError::new(ErrorKind::Invalid, message).help("write dr_kms_key_id with a key of that region"))
        }
    }
}

/// The fields with a URL that asks the first region for the same, which holds its permission. AWS's own clients send one always; it is
/// looked at in some partitions only (botocore 1.43.11, CreateDBInstanceReadReplica).
pub(super) async fn permitted(aws: &Aws, region: &str, asked: Form, fields: Form) -> Result<Form, ProviderError> {
    let there = asked.set("DestinationRegion", region);
    let url = aws.session().presigned(Service::Rds, aws.region(), &there, PERMITTED).await?;
    Ok(fields.set("PreSignedUrl", &Secret::new(url.as_str())))
}
