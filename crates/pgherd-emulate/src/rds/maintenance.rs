//! What RDS itself will do to an instance, which a test puts there: `DescribePendingMaintenanceActions`. And from which regions another one
//! is reached: `DescribeSourceRegions`.

use jiff::Timestamp;

use super::state::Region;
use super::{Listing, paged};
use crate::wire::{Element, Form, Refusal};

/// Something that will be done to an instance.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// `system-update`, `db-upgrade`, …
    pub action: String,
    /// A sentence.
    pub description: String,
    /// The windows from then on bring it.
    pub after: Option<Timestamp>,
    /// Then it is done, window or not.
    pub forced: Option<Timestamp>,
}

/// `DescribePendingMaintenanceActions`: of all instances that have any, or of those of one filter.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let mut wanted: Option<Vec<String>> = None;
    for filter in form.structures("Filters", "Filter") {
        match filter.required("Name")? {
            "db-instance-id" => {
                let named = filter.list("Values", "Value").unwrap_or_default();
                wanted = Some(named.into_iter().map(str::to_lowercase).collect());
            }
            other => return Err(Refusal::value(format!("Unrecognized filter name: {other}"))),
        }
    }
    let is_wanted = |id: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == id || *one == region.arn("db", id)))
    };
    let found = region.maintenance.iter().filter(|(id, _)| region.instances.contains_key(*id) && is_wanted(id));
    let items = found.map(|(id, all)| {
        let details = all.iter().map(|one| {
            let mut told = Element::new("PendingMaintenanceAction")
                .put("Action", &one.action)
                .put("Description", &one.description);
            for (name, at) in [("AutoAppliedAfterDate", one.after), ("ForcedApplyDate", one.forced)] {
                if let Some(at) = at {
                    told = told.time(name, at);
                }
            }
            told
        });
        Element::new("ResourcePendingMaintenanceActions")
            .put("ResourceIdentifier", region.arn("db", id))
            .list("PendingMaintenanceActionDetails", details)
    });
    paged(form, Listing { name: "PendingMaintenanceActions", items: items.collect() })
}

/// Regions that AWS turns on for everybody, which reach each other.
const EVERYBODYS: [&str; 8] = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "ap-northeast-1",
    "ap-southeast-2",
];

/// `DescribeSourceRegions`.
pub fn sources(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let asked = form.text("RegionName");
    let others = EVERYBODYS.iter().filter(|name| **name != region.name && asked.is_none_or(|asked| asked == **name));
    let others = others.filter(|name| !region.unreached.contains(**name));
    let items = others.map(|name| {
        Element::new("SourceRegion")
            .put("RegionName", name)
            .put("Endpoint", format_args!("https://rds.{name}.amazonaws.com"))
            .put("Status", "available")
            .put("SupportsDBInstanceAutomatedBackupsReplication", true)
    });
    paged(form, Listing { name: "SourceRegions", items: items.collect() })
}
