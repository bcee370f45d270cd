//! Who we are.

use pgherd_http::Safety;

use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::service::Service;
use crate::session::Session;

/// The number of the account that the credentials are of.
pub(crate) async fn account(session: &Session, region: &str) -> Result<String, AwsError> {
    let who = session.query(Service::Sts, region, Form::new("GetCallerIdentity"), Safety::Repeatable).await?;
    Ok(who.text("Account").unwrap_or_default().to_owned())
}
