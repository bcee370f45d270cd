//! What RDS says that happened to an instance.

use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::session::Session;

/// What happened to an instance in the last minutes, oldest first, in RDS's words.
pub(crate) async fn happened(session: &Session, region: &str, id: &str, minutes: u32) -> Result<Vec<String>, AwsError> {
    let form = Form::new("DescribeEvents")
        .set("SourceIdentifier", id)
        .set("SourceType", "db-instance")
        .set("Duration", minutes);
    let words = |event: &crate::protocol::xml::Element| event.text("Message").unwrap_or_default().to_owned();
    super::listed(session, region, form, ("Events", "Event"), words).await
}
