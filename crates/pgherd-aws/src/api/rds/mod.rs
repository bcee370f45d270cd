//! RDS: instances, their groups, tags and events.

mod copies;
mod events;
mod groups;
mod instance;
mod kept;
mod log_files;
mod maintenance;
mod offers;
mod proxy;
mod snapshots;
mod told;

pub(crate) use copies::{copies, start_copying, starting, stop_copying};
pub(crate) use events::{Event, LONGEST_MIN, events, happened};
pub(crate) use groups::{
    ParameterGroup, Setting, SubnetGroup, create_parameter_group, create_subnet_group, delete_parameter_group,
    delete_subnet_group, modify_parameters, modify_subnet_group, parameter_group, parameter_groups, parameters,
    reset_parameters, settings, subnet_group,
};
pub(crate) use instance::{
    Last, all_instances, create_instance, create_replica, delete_instance, fail_over, instance, instances,
    modify_instance, reboot,
};
pub(crate) use kept::{
    Automated, Kept, RestoredFrom, Snapshot, automated, promote, rename, restore, snapshot, snapshots_of,
};
pub(crate) use log_files::{LogFile, MOST_LINES, Portion, log_files, log_portion};
pub(crate) use maintenance::{Maintenance, maintenance};
pub(crate) use offers::{
    DefaultParameter, EngineVersion, Offer, Offered, Quota, SourceRegion, defaults, engine_versions, offers, quotas,
    source_regions,
};
pub(crate) use proxy::{
    DbProxy, Login, Shares, Target, create_proxy, delete_proxy, deregister, logins, modify_pool, modify_proxy, pool,
    proxies, proxy, register, tagged, targets,
};
pub(crate) use snapshots::{Taken, create_snapshot, snapshot_status, snapshots_taken};
pub(crate) use told::{DbInstance, LOGS};

use std::collections::BTreeMap;

use pgherd_http::Safety;

use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::service::Service;
use crate::session::Session;

/// Most records a page of RDS has (botocore 1.43.11, `MaxRecords`).
const PAGE: u32 = 100;

/// The tags of something of RDS.
pub(crate) async fn tags(session: &Session, region: &str, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let form = Form::new("ListTagsForResource").set("ResourceName", arn);
    Ok(told::tags(&asked(session, region, form).await?))
}

/// Sets tags; those of other keys stay.
pub(crate) async fn add_tags(
    session: &Session,
    region: &str,
    arn: &str,
    tags: &[(String, String)],
) -> Result<(), AwsError> {
    let form = Form::new("AddTagsToResource").set("ResourceName", arn).list("Tags", "Tag", tags.iter().map(tag));
    asked(session, region, form).await.map(drop)
}

/// Takes tags away.
pub(crate) async fn remove_tags(session: &Session, region: &str, arn: &str, keys: &[String]) -> Result<(), AwsError> {
    let form = Form::new("RemoveTagsFromResource").set("ResourceName", arn);
    asked(session, region, form.list("TagKeys", "member", keys)).await.map(drop)
}

fn tag((key, value): &(String, String)) -> Form {
    Form::part().set("Key", key).set("Value", value)
}

/// A call that does the same when it is repeated.
async fn asked(session: &Session, region: &str, form: Form) -> Result<Element, AwsError> {
    session.query(Service::Rds, region, form, Safety::Repeatable).await
}

/// A call that makes something: whoever gets no answer looks before asking again.
async fn asked_once(session: &Session, region: &str, form: Form) -> Result<Element, AwsError> {
    session.query(Service::Rds, region, form, Safety::LookFirst).await
}

/// Every item of a describing action, page by page.
async fn listed<T>(
    session: &Session,
    region: &str,
    form: Form,
    (list, member): (&str, &str),
    read: impl Fn(&Element) -> T,
) -> Result<Vec<T>, AwsError> {
    let mut found = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let page = asked(session, region, form.clone().set("MaxRecords", PAGE).set("Marker", marker)).await?;
        found.extend(page.list(list, member).map(&read));
        marker = page.text("Marker").filter(|marker| !marker.is_empty()).map(str::to_owned);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// What was found, or nothing where AWS says that there is no such thing.
fn unless_missing<T>(found: Result<T, AwsError>, code: &str) -> Result<Option<T>, AwsError> {
    match found {
        Err(error) if error.is(code) => Ok(None),
        found => found.map(Some),
    }
}
