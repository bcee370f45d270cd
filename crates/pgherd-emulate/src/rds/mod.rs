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
use crate::around::iam::Roles;
use crate::around::secrets::Secrets;
use crate::wire::{Element, Form, Refusal};

/// What is known of a call beside its form.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// When it came.
    pub now: Timestamp,
    /// How many times longer than usual what it begins takes.
    pub stretch: f64,
    /// The roles of the account.
    pub roles: &'a Roles,
    /// The secrets of the region.
    pub secrets: &'a Secrets,
}

impl Call<'_> {
    /// How long something takes that usually takes `usual`.
    pub fn lasts(&self, usual: SignedDuration) -> SignedDuration {
        usual.mul_f64(self.stretch)
    }
}

/// What answers an action in its region.
type Handler = fn(&mut Region, &Form, &Call) -> Result<Element, Refusal>;

/// The actions of one region. Those that go between regions are in [`regions`].
const ACTIONS: &[(&str, Handler)] = &[
    ("AddTagsToResource", |region, form, _| tags::add(region, form)),
    ("CopyDBSnapshot", snapshot::copy),
    ("CreateDBInstance", create::create),
    ("CreateDBInstanceReadReplica", replica::create),
    ("CreateDBParameterGroup", |region, form, _| parameters::create(region, form)),
    ("CreateDBProxy", proxy::create),
    ("CreateDBSnapshot", snapshot::create),
    ("CreateDBSubnetGroup", |region, form, _| subnet::create(region, form)),
    ("DeleteDBInstance", delete::delete),
    ("DeleteDBInstanceAutomatedBackup", |region, form, _| backups::delete(region, form)),
    ("DeleteDBParameterGroup", |region, form, _| parameters::delete(region, form)),
    ("DeleteDBProxy", proxy::delete),
    ("DeleteDBSnapshot", |region, form, call| snapshot::delete(region, form, call.now)),
    ("DeleteDBSubnetGroup", |region, form, _| subnet::delete(region, form)),
    ("DeregisterDBProxyTargets", |region, form, _| proxy_targets::deregister(region, form)),
    ("DescribeAccountAttributes", |region, form, _| account::describe(region, form)),
    ("DescribeDBEngineVersions", |_, form, _| versions::describe(form)),
    ("DescribeDBInstanceAutomatedBackups", |region, form, call| backups::describe(region, form, call.now)),
    ("DescribeDBInstances", |region, form, call| show::describe(region, form, call.now)),
    ("DescribeDBLogFiles", |region, form, _| logs::describe(region, form)),
    ("DescribeDBParameterGroups", |region, form, _| parameters::describe(region, form)),
    ("DescribeDBParameters", |region, form, _| parameters::parameters(region, form)),
    ("DescribeDBProxies", |region, form, _| proxy::describe(region, form)),
    ("DescribeDBProxyTargetGroups", |region, form, _| proxy_targets::describe_groups(region, form)),
    ("DescribeDBProxyTargets", |region, form, call| proxy_targets::describe(region, form, call)),
    ("DescribeDBSnapshots", |region, form, call| snapshot::describe(region, form, call.now)),
    ("DescribeDBSubnetGroups", |region, form, _| subnet::describe(region, form)),
    ("DescribeEngineDefaultParameters", |_, form, _| parameters::defaults(form)),
    ("DescribeEvents", |region, form, call| events::describe(region, form, call.now)),
    ("DescribeOrderableDBInstanceOptions", |region, form, _| orderable::describe(region, form)),
    ("DescribePendingMaintenanceActions", |region, form, _| maintenance::describe(region, form)),
    ("DescribeSourceRegions", |region, form, _| maintenance::sources(region, form)),
    ("DownloadDBLogFilePortion", |region, form, _| logs::download(region, form)),
    ("ListTagsForResource", |region, form, _| tags::list(region, form)),
    ("ModifyDBInstance", modify::modify),
    ("ModifyDBParameterGroup", |region, form, _| parameters::modify(region, form)),
    ("ModifyDBProxy", proxy::modify),
    ("ModifyDBProxyTargetGroup", proxy_targets::modify),
    ("ModifyDBSubnetGroup", |region, form, _| subnet::modify(region, form)),
    ("PromoteReadReplica", replica::promote),
    ("RebootDBInstance", modify::reboot),
    ("RegisterDBProxyTargets", proxy_targets::register),
    ("RemoveTagsFromResource", |region, form, _| tags::remove(region, form)),
    ("ResetDBParameterGroup", |region, form, _| parameters::reset(region, form)),
    ("RestoreDBInstanceFromDBSnapshot", restore::from_snapshot),
    ("RestoreDBInstanceToPointInTime", restore::to_point_in_time),
    ("StartDBInstance", modify::start),
    ("StopDBInstance", modify::stop),
];

/// Every action there is, by name.
pub fn actions() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|(name, _)| *name).chain(regions::ACTIONS)
}

/// The answer to a request.
pub fn answer(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    region.advance(call.now);
    let action = form.required("Action")?;
    match ACTIONS.iter().find(|(name, _)| *name == action) {
        Some((_, handler)) => handler(region, form, call),
        None => Err(Refusal::of("InvalidAction", format!("Could not find operation {action} for version 2014-10-31"))),
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
