//! The security group: found by its name, and ours by its tag. Who is to come in is let in before anybody is shut out.

use futures_util::future::try_join_all;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::ours::{self, Retagging};
use super::rules::{self, Steps};
use super::{made, users};
use crate::api::ec2::{self, Doing, Permission, SecurityGroup, Which};
use crate::kinds::security_group::{GROUP_ID, NAME, SUBNET_IDS};
use crate::kinds::{instance, props, tags};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::wait;

const RULES: &str = "Rules";
const VPC: &str = "VpcId";

/// The groups that are wanted.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let looks = ours::of_kind(wanted, NAME).map(|Resource { id, props, .. }| async move {
        let place = Place::of(aws, id);
        let found = place.groups(aws).await?;
        if let Some(group) = chosen(&found, &place.block, vpc_written(props)) {
            return Ok(Some(observed(id, group, props)));
        }
        if found.is_empty() {
            return Ok(None);
        }
        // Only one in the network that ours is to be in would be in the way.
        let vpc = place.vpc(aws, props).await?;
        let in_the_way = found.iter().any(|group| Some(&group.vpc_id) == vpc.as_ref());
        Ok::<_, AwsError>(in_the_way.then(|| ours::seen(id, Props::new(), ours::status(false))))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// Makes the group with its rules.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let place = Place::of(aws, &resource.id);
    let found = place.groups(aws).await?;
    let group = match chosen(&found, &place.block, vpc_written(&resource.props)) {
        Some(group) => group.clone(),
        None => new_group(aws, &place, resource, events).await?,
    };
    let steps = rules::steps(&group.id, wanted(&resource.props), &group.permissions, None);
    carry_out(aws, &place, &group.id, &steps, events).await
}

/// Changes rules and tags.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let place = Place::of(aws, &resource.id);
    let found = place.groups(aws).await?;
    let group =
        chosen(&found, &place.block, vpc_written(&resource.props)).ok_or_else(|| ours::foreign(&resource.id))?;
    // What is not among the changes was not in the plan.
    let among: Vec<&str> = changes.iter().filter_map(|change| change.field.strip_prefix("Rules.")).collect();
    let steps = rules::steps(&group.id, wanted(&resource.props), &group.permissions, Some(&among));
    carry_out(aws, &place, &group.id, &steps, events).await?;
    let retagging = Retagging::of(changes);
    Ok(retagging
        .carry(
            || ec2::tag(aws.session(), &place.region, &group.id, &retagging.set),
            || ec2::untag(aws.session(), &place.region, &group.id, &retagging.removed),
        )
        .await?)
}

/// Takes the group away, as soon as nobody is in it any more.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let place = Place::of(aws, id);
    let found = place.groups(aws).await?;
    let of_ours: Vec<&SecurityGroup> = found.iter().filter(|group| tags::are_ours(&group.tags, &place.block)).collect();
    for group in of_ours {
        users::nobody_stays(aws, &place.region, id, Some(&Value::text(&group.id))).await?;
        let delete = || ec2::delete(aws.session(), &place.region, &group.id);
        let at_most = aws.patience().letting_go;
        match wait::tried(aws, at_most, events, |error| error.is("DependencyViolation"), delete).await {
            Err(error) if error.is("DependencyViolation") => return Err(used(aws, &place, group, error).await),
            Err(error) if !error.is("InvalidGroup.NotFound") => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Where a group is, what EC2 calls it, and whose it is.
struct Place {
    region: String,
    name: String,
    /// `orders-dr-db` is of a block `orders-dr` where that is, and of `orders` in its second region.
    block: String,
}

impl Place {
    fn of(aws: &Aws, id: &Id) -> Self {
        let (region, name) = names::place(NAME, &id.name);
        let owner = match &region {
            Some(_) => names::database_elsewhere(&name),
            None => names::database_of_security_group(&name),
        };
        let block = owner.unwrap_or(&name).to_owned();
        Self { region: region.unwrap_or_else(|| aws.region().to_owned()), name, block }
    }

    /// All of the name, at most one a network.
    async fn groups(&self, aws: &Aws) -> Result<Vec<SecurityGroup>, AwsError> {
        let mut found = ec2::groups(aws.session(), &self.region, Which::Named(&self.name)).await?;
        found.iter_mut().for_each(|group| group.tags = aws.worn(std::mem::take(&mut group.tags)));
        Ok(found)
    }

    /// The network a group is to be in: the one that is written, that of the subnets, or the default one.
    async fn vpc(&self, aws: &Aws, props: &Props) -> Result<Option<String>, AwsError> {
        if let Some(vpc) = vpc_written(props) {
            return Ok(Some(vpc.to_owned()));
        }
        let subnets = props.get(SUBNET_IDS).and_then(Value::as_list).into_iter().flatten();
        let subnets: Vec<&str> = subnets.filter_map(Value::as_text).collect();
        if subnets.is_empty() {
            return ec2::default_vpc(aws.session(), &self.region).await;
        }
        Ok(ec2::vpcs_of(aws.session(), &self.region, &subnets).await?.into_iter().next())
    }
}

fn vpc_written(props: &Props) -> Option<&str> {
    props.get(VPC).and_then(Value::as_text)
}

/// The group that is meant: ours in the network that is written or, which is then a difference, ours elsewhere.
fn chosen<'a>(found: &'a [SecurityGroup], block: &str, vpc: Option<&str>) -> Option<&'a SecurityGroup> {
    let of_ours = || found.iter().filter(|group| tags::are_ours(&group.tags, block));
    let there = |group: &&SecurityGroup| Some(group.vpc_id.as_str()) == vpc;
    of_ours().find(there).or_else(|| of_ours().next())
}

fn wanted(props: &Props) -> &Props {
    static NOTHING: Props = Props::new();
    props.get(RULES).and_then(Value::as_map).unwrap_or(&NOTHING)
}

fn observed(id: &Id, group: &SecurityGroup, wanted_props: &Props) -> Observed {
    let props = props([
        (GROUP_ID, group.id.as_str().into()),
        ("SecurityGroupArn", group.arn.as_str().into()),
        (VPC, group.vpc_id.as_str().into()),
        ("GroupDescription", group.description.as_str().into()),
        (RULES, Value::Map(rules::told(&group.id, wanted(wanted_props), &group.permissions))),
        ("Tags", ours::compared(&group.tags, wanted_props)),
    ]);
    Observed { needs: needs(id), ..ours::seen(id, props, Status::Available) }
}

/// The instance stays until nothing of it is left in a second region, since it tells of what is there.
fn needs(id: &Id) -> Vec<Id> {
    let (region, name) = names::place(NAME, &id.name);
    let database = region.and_then(|_| names::database_elsewhere(&name));
    database.map(|database| Id::new(instance::NAME, database)).into_iter().collect()
}

/// A new group, which lets everything out and nobody in.
async fn new_group(
    aws: &Aws,
    place: &Place,
    resource: &Resource,
    events: &Events,
) -> Result<SecurityGroup, ProviderError> {
    let vpc = place.vpc(aws, &resource.props).await?.ok_or_else(|| {
        let message = format!("{} has no default network to make a security group in", place.region);
        ProviderError::new(ErrorKind::Invalid, message).help("write vpc_id and subnet_ids")
    })?;
    let description = resource.props.get("GroupDescription").and_then(Value::as_text).unwrap_or(&place.name);
    let given = tags::sent(&resource.props);
    let look = || async {
        let found = place.groups(aws).await?;
        Ok::<_, AwsError>(found.into_iter().find(|group| group.vpc_id == vpc))
    };
    let make = || ec2::create(aws.session(), &place.region, (&place.name, description, &vpc), &given);
    made::once("InvalidGroup.Duplicate", make, look).await?;
    // What was just made is not seen everywhere at once.
    let seen = || async { look().await?.ok_or_else(|| ec2::not_seen_yet(&place.name)) };
    let group = wait::tried(aws, aws.patience().spreading, events, is_not_known_yet, seen).await?;
    if tags::are_ours(&group.tags, &place.block) { Ok(group) } else { Err(ours::foreign(&resource.id)) }
}

fn is_not_known_yet(error: &AwsError) -> bool {
    error.is("InvalidGroup.NotFound")
}

/// Lets in and out whoever is to be, then describes, then shuts out.
async fn carry_out(aws: &Aws, place: &Place, group: &str, steps: &Steps, events: &Events) -> Result<(), ProviderError> {
    let doings =
        [(Doing::Authorize, &steps.authorize), (Doing::Describe, &steps.describe), (Doing::Revoke, &steps.revoke)];
    for (doing, permissions) in doings {
        for ingress in [true, false] {
            let some: Vec<&Permission> = permissions.iter().filter(|one| one.ingress == ingress).collect();
            if !some.is_empty() {
                permit(aws, place, (doing, ingress), group, &some, events).await?;
            }
        }
    }
    Ok(())
}

/// Together; where somebody else did one of them meanwhile EC2 refuses all, and each goes alone.
async fn permit(
    aws: &Aws,
    place: &Place,
    what: (Doing, bool),
    group: &str,
    permissions: &[&Permission],
    events: &Events,
) -> Result<(), ProviderError> {
    let is_done = |error: &AwsError| error.is("InvalidPermission.Duplicate") || error.is("InvalidPermission.NotFound");
    let ask = |some| ec2::permissions(aws.session(), &place.region, what, group, some);
    match wait::tried(aws, aws.patience().spreading, events, is_not_known_yet, || ask(permissions)).await {
        Err(error) if is_done(&error) => {}
        ended => return Ok(ended?),
    }
    for permission in permissions {
        match ask(std::slice::from_ref(permission)).await {
            Err(error) if !is_done(&error) => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Why a group cannot go: other groups that let its members in are told by name, since nobody else takes those rules away.
async fn used(aws: &Aws, place: &Place, group: &SecurityGroup, error: AwsError) -> ProviderError {
    let admitting = ec2::groups(aws.session(), &place.region, Which::Admitting(&group.id)).await.unwrap_or_default();
    let others = admitting.iter().filter(|other| other.id != group.id);
    let others: Vec<String> = others.map(|other| format!("{} ({})", other.id, other.name)).collect();
    let help = if others.is_empty() {
        "something is still in that group; look for network interfaces with it".to_owned()
    } else {
        format!("take the rules that name {} out of {}, then run this again", group.id, others.join(", "))
    };
    ProviderError::from(error).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, vpc: &str, block: Option<&str>) -> SecurityGroup {
        SecurityGroup {
            id: id.to_owned(),
            arn: String::new(),
            name: "orders-db".to_owned(),
            description: String::new(),
            vpc_id: vpc.to_owned(),
            permissions: Vec::new(),
            tags: block.map(|block| (tags::BLOCK.to_owned(), block.to_owned())).into_iter().collect(),
        }
    }

    #[track_caller]
    fn check(found: &[SecurityGroup], vpc: Option<&str>, expected: Option<&str>) {
        assert_eq!(chosen(found, "orders", vpc).map(|group| group.id.as_str()), expected);
    }

    #[test]
    fn ours_is_meant_wherever_it_is_and_nobody_elses() {
        let ours = group("sg-1", "vpc-1", Some("orders"));
        let also = group("sg-2", "vpc-2", Some("orders"));
        check(&[ours.clone(), also.clone()], Some("vpc-2"), Some("sg-2"));
        check(&[ours.clone(), also], Some("vpc-3"), Some("sg-1"));
        check(&[group("sg-3", "vpc-1", None), ours], None, Some("sg-1"));
        check(&[group("sg-3", "vpc-1", None)], Some("vpc-1"), None);
        check(&[group("sg-4", "vpc-1", Some("others"))], None, None);
    }
}
