//! What RDS says that happened to an instance.

use jiff::Timestamp;

use super::told::text;
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// The most minutes that RDS looks back: 14 days (botocore 1.43.11, DescribeEvents).
pub(crate) const LONGEST_MIN: u32 = 14 * 24 * 60;

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    /// The instance.
    pub(crate) source: String,
    /// In RDS's words.
    pub(crate) message: String,
    /// `failover`, `availability`, …
    pub(crate) categories: Vec<String>,
}

/// What happened to an instance in the last minutes, oldest first.
pub(crate) async fn events(session: &Session, region: &str, id: &str, minutes: u32) -> Result<Vec<Event>, AwsError> {
    let form = Form::new("DescribeEvents")
        .set("SourceIdentifier", id)
        .set("SourceType", "db-instance")
        .set("Duration", minutes);
    let found = super::listed(session, region, form, ("Events", "Event"), read).await?;
    let mut found: Vec<Event> = found.into_iter().flatten().collect();
    found.sort_by_key(|event| event.at);
    Ok(found)
}

/// The same, the words only.
pub(crate) async fn happened(session: &Session, region: &str, id: &str, minutes: u32) -> Result<Vec<String>, AwsError> {
    Ok(events(session, region, id, minutes).await?.into_iter().map(|event| event.message).collect())
}

/// One whose time is not told is left out, rather than shown at another.
fn read(told: &Element) -> Option<Event> {
    Some(Event {
        at: told.time("Date")?,
        source: text(told, "SourceIdentifier").unwrap_or_default(),
        message: text(told, "Message").unwrap_or_default(),
        categories: told.list("EventCategories", "EventCategory").map(|one| one.text.clone()).collect(),
    })
}
