//! RDS for PostgreSQL as a state machine: a request, the time and a region give an answer and the region afterwards.
//!
//! Nothing here knows of sockets or waits. Rules are from AWS's own pages and its model of the API; what nobody of us has seen on
//! AWS is decided for the stricter reading and said where it is decided.

pub mod account;
pub mod backed;
pub mod backups;
pub mod copied;
pub mod create;
pub mod delete;
pub mod events;
pub mod instance;
pub mod logs;
pub mod maintenance;
pub mod modify;
pub mod orderable;
pub mod parameters;
pub mod proxy;
pub mod proxy_targets;
pub mod regions;
pub mod replica;
pub mod restore;
pub mod show;
pub mod snapshot;
pub mod state;
pub mod storage;
pub mod subnet;
pub mod tags;
pub mod validate;
pub mod versions;
pub mod window;

use jiff::{SignedDuration, Timestamp};

pub use self::state::Region;
use crate::wire::{Element, Form, Refusal};

/// What is known of a call beside its form.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// When it came.
    pub now: Timestamp,
    /// How many times longer than usual what it begins takes.
    pub stretch: f64,
}

impl Call {
    /// How long something takes that usually takes `usual`.
    pub fn lasts(&self, usual: SignedDuration) -> SignedDuration {
        usual.mul_f64(self.stretch)
    }
}

/// The answer to a request.
pub fn answer(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    region.advance(call.now);
    match form.required("Action")? {
        "AddTagsToResource" => tags::add(region, form),
        "CreateDBInstance" => create::create(region, form, call),
        "CreateDBInstanceReadReplica" => replica::create(region, form, call),
        "CreateDBProxy" => proxy::create(region, form, call),
        "CreateDBParameterGroup" => parameters::create(region, form),
        "CreateDBSnapshot" => snapshot::create(region, form, call),
        "CreateDBSubnetGroup" => subnet::create(region, form),
        "DeleteDBInstance" => delete::delete(region, form, call),
        "DeleteDBInstanceAutomatedBackup" => backups::delete(region, form),
        "DeleteDBProxy" => proxy::delete(region, form, call),
        "DeleteDBParameterGroup" => parameters::delete(region, form),
        "DeleteDBSnapshot" => snapshot::delete(region, form, call.now),
        "DeleteDBSubnetGroup" => subnet::delete(region, form),
        "DeregisterDBProxyTargets" => proxy_targets::deregister(region, form),
        "DescribeAccountAttributes" => account::describe(region, form),
        "DescribeDBEngineVersions" => versions::describe(form),
        "DescribeDBInstanceAutomatedBackups" => backups::describe(region, form, call.now),
        "DescribeDBInstances" => show::describe(region, form, call.now),
        "DescribeDBLogFiles" => logs::describe(region, form),
        "DescribeDBParameterGroups" => parameters::describe(region, form),
        "DescribeDBParameters" => parameters::parameters(region, form),
        "DescribeDBProxies" => proxy::describe(region, form),
        "DescribeDBProxyTargetGroups" => proxy_targets::describe_groups(region, form),
        "DescribeDBProxyTargets" => proxy_targets::describe(region, form, call.now),
        "DescribeDBSnapshots" => snapshot::describe(region, form, call.now),
        "DescribeDBSubnetGroups" => subnet::describe(region, form),
        "DescribeEngineDefaultParameters" => parameters::defaults(form),
        "DescribeEvents" => events::describe(region, form, call.now),
        "DownloadDBLogFilePortion" => logs::download(region, form),
        "DescribePendingMaintenanceActions" => maintenance::describe(region, form),
        "DescribeSourceRegions" => maintenance::sources(region, form),
        "DescribeOrderableDBInstanceOptions" => orderable::describe(region, form),
        "ListTagsForResource" => tags::list(region, form),
        "ModifyDBInstance" => modify::modify(region, form, call),
        "ModifyDBProxy" => proxy::modify(region, form, call),
        "ModifyDBProxyTargetGroup" => proxy_targets::modify(region, form, call),
        "ModifyDBParameterGroup" => parameters::modify(region, form),
        "ModifyDBSubnetGroup" => subnet::modify(region, form),
        "PromoteReadReplica" => replica::promote(region, form, call),
        "RebootDBInstance" => modify::reboot(region, form, call),
        "RegisterDBProxyTargets" => proxy_targets::register(region, form, call),
        "RemoveTagsFromResource" => tags::remove(region, form),
        "ResetDBParameterGroup" => parameters::reset(region, form),
        "RestoreDBInstanceFromDBSnapshot" => restore::from_snapshot(region, form, call),
        "RestoreDBInstanceToPointInTime" => restore::to_point_in_time(region, form, call),
        other => Err(Refusal::of("InvalidAction", format!("Could not find operation {other} for version 2014-10-31"))),
    }
}

/// Everything a describing request finds.
struct Listing {
    name: &'static str,
    items: Vec<Element>,
}

/// One page of it: `MaxRecords` of 20 to 100, and a `Marker` when there is more.
fn paged(form: &Form, listing: Listing) -> Result<Element, Refusal> {
    let most = form.int("MaxRecords")?.unwrap_or(100);
    let most = usize::try_from(most).ok().filter(|most| (20..=100).contains(most));
    let most = most.ok_or_else(|| Refusal::value("Invalid value for MaxRecords. Must be between 20 and 100"))?;
    let from = match form.text("Marker") {
        Some(marker) => marker
            .strip_prefix("page-")
            .and_then(|from| from.parse::<usize>().ok())
            .ok_or_else(|| Refusal::value("The pagination token is invalid."))?,
        None => 0,
    };
    let more = listing.items.len() > from + most;
    let page = listing.items.into_iter().skip(from).take(most);
    Ok(Element::new("").list(listing.name, page).maybe("Marker", more.then(|| format!("page-{}", from + most))))
}
