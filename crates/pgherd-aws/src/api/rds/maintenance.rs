//! What RDS itself will do to an instance: updates of the system, another certificate, a minor version that is forced.

use jiff::Timestamp;

use super::told::text;
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// Something that will be done to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Maintenance {
    /// The instance.
    pub(crate) server: String,
    /// RDS's word for it, `system-update`.
    pub(crate) action: String,
    /// The same in a sentence of RDS's.
    pub(crate) words: String,
    /// When it will be done, where that is settled.
    pub(crate) at: Option<Timestamp>,
    /// The windows from then on bring it.
    pub(crate) after: Option<Timestamp>,
    /// Then it is done, window or not.
    pub(crate) forced: Option<Timestamp>,
}

/// What waits for these instances.
pub(crate) async fn maintenance(session: &Session, region: &str, ids: &[&str]) -> Result<Vec<Maintenance>, AwsError> {
    let of = Form::part().set("Name", "db-instance-id").list("Values", "Value", ids.iter().copied());
    let form = Form::new("DescribePendingMaintenanceActions").list("Filters", "Filter", [of]);
    let list = ("PendingMaintenanceActions", "ResourcePendingMaintenanceActions");
    let found = super::listed(session, region, form, list, read).await?;
    Ok(found.into_iter().flatten().collect())
}

fn read(told: &Element) -> Vec<Maintenance> {
    let arn = text(told, "ResourceIdentifier").unwrap_or_default();
    let server = arn.rsplit(':').next().unwrap_or_default();
    let one = |action: &Element| Maintenance {
        server: server.to_owned(),
        action: text(action, "Action").unwrap_or_default(),
        words: text(action, "Description").unwrap_or_default(),
        at: action.time("CurrentApplyDate"),
        after: action.time("AutoAppliedAfterDate"),
        forced: action.time("ForcedApplyDate"),
    };
    told.list("PendingMaintenanceActionDetails", "PendingMaintenanceAction").map(one).collect()
}
