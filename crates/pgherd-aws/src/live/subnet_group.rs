//! The subnet group: made, its subnets exchanged, removed when nobody is in it any more.

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::change::not_ours;
use super::servers::At;
use super::{made, spelling, users};
use crate::api::rds::{self, SubnetGroup};
use crate::kinds::tags;
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::wait;

/// Makes it.
pub(super) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let subnets = subnets(resource);
    let look = || rds::subnet_group(aws.session(), &at.region, &at.name);
    let found = match look().await? {
        Some(found) => Some(found),
        None => {
            let description = resource.props.get("DBSubnetGroupDescription").and_then(Value::as_text);
            let (description, tags) = (description.unwrap_or(&at.name), tags::sent(&resource.props));
            let make = || rds::create_subnet_group(aws.session(), &at.region, &at.name, description, &subnets, &tags);
            made::once("DBSubnetGroupAlreadyExists", make, look).await?
        }
    };
    let Some(found) = found else { return Ok(()) };
    only_ours(aws, &at, &found).await?;
    if found.subnets.iter().map(|(id, _)| id).eq(&subnets) {
        return Ok(());
    }
    Ok(rds::modify_subnet_group(aws.session(), &at.region, &at.name, &subnets).await?)
}

/// Exchanges its subnets, the only thing that changes.
pub(super) async fn update(
    aws: &Aws,
    resource: &Resource,
    _changes: &[Change],
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let Some(found) = rds::subnet_group(aws.session(), &at.region, &at.name).await? else {
        let message = format!("the subnet group {} is not there any more", at.name);
        return Err(ProviderError::new(ErrorKind::NotFound, message).help("plan again"));
    };
    only_ours(aws, &at, &found).await?;
    match rds::modify_subnet_group(aws.session(), &at.region, &at.name, &subnets(resource)).await {
        Err(error) if error.is("InvalidSubnet") => {
            let help =
                "an instance stays in its network: make a database under a new name there and restore a backup into it";
            Err(ProviderError::from(error).help(help))
        }
        done => Ok(done?),
    }
}

/// Removes it once nobody is in it any more.
pub(super) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, id);
    let Some(found) = rds::subnet_group(aws.session(), &at.region, &at.name).await? else { return Ok(()) };
    only_ours(aws, &at, &found).await?;
    users::nobody_stays(aws, &at.region, id, None).await?;
    let attempt = || rds::delete_subnet_group(aws.session(), &at.region, &at.name);
    Ok(wait::tried(aws, aws.patience().letting_go, events, is_in_use, attempt).await?)
}

/// Removes the group of ours that an instance was in, unless somebody else still is.
pub(super) async fn tidy(aws: &Aws, at: &At, group: &str) -> Result<(), ProviderError> {
    if group != names::subnet_group(&at.name) {
        return Ok(());
    }
    let Some(found) = rds::subnet_group(aws.session(), &at.region, group).await? else { return Ok(()) };
    // Whose it is nobody can tell without an ARN.
    let Some(arn) = found.arn else { return Ok(()) };
    if !tags::are_ours(&rds::tags(aws.session(), &at.region, &arn).await?, &at.block) {
        return Ok(());
    }
    match rds::delete_subnet_group(aws.session(), &at.region, group).await {
        Err(error) if is_in_use(&error) => Ok(()),
        done => Ok(done?),
    }
}

fn subnets(resource: &Resource) -> Vec<String> {
    let ids = resource.props.get("SubnetIds").and_then(Value::as_list).unwrap_or_default();
    ids.iter().filter_map(Value::as_text).map(str::to_owned).collect()
}

async fn only_ours(aws: &Aws, at: &At, found: &SubnetGroup) -> Result<(), ProviderError> {
    let Some(arn) = &found.arn else {
        return Err(not_ours(
            &format!("the subnet group {}", at.name),
            "RDS tells no ARN of it, by which its tags are read",
        ));
    };
    let tags = rds::tags(aws.session(), &at.region, arn).await?;
    match spelling::foreign(&tags, &at.block) {
        Some(reason) => Err(not_ours(&format!("the subnet group {}", at.name), &reason)),
        None => Ok(()),
    }
}

fn is_in_use(error: &AwsError) -> bool {
    error.is("InvalidDBSubnetGroupStateFault")
}
