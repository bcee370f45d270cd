//! Security groups and where they are.

use pgherd_http::Safety;

use crate::api::tags::{self, Tags};
use crate::protocol::error::{AwsError, Cause};
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::service::Service;
use crate::session::Session;

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpc_id: String,
    /// One for each peer.
    pub(crate) permissions: Vec<Permission>,
    pub(crate) tags: Tags,
}

/// That one peer may come in, or be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) ingress: bool,
    pub(crate) protocol: String,
    /// First and last; of ICMP type and code. None: all.
    pub(crate) ports: Option<(i64, i64)>,
    pub(crate) peer: Peer,
    pub(crate) description: String,
}

/// Who is on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    Ipv4(String),
    Ipv6(String),
    /// Members of a group; the account is told where it is another one's.
    Group {
        id: String,
        account: Option<String>,
    },
    /// Addresses in a list that somebody keeps.
    List(String),
}

/// Which groups are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    /// Those of a name, one a VPC.
    Named(&'a str),
    /// Those that let members of a group in.
    Admitting(&'a str),
}

/// Security groups.
pub(crate) async fn groups(session: &Session, region: &str, which: Which<'_>) -> Result<Vec<SecurityGroup>, AwsError> {
    let (name, value) = match which {
        Which::Named(name) => ("group-name", name),
        Which::Admitting(id) => ("ip-permission.group-id", id),
    };
    let form = Form::new("DescribeSecurityGroups").flat("Filter", [filter(name, value)]);
    let found = paged(session, region, &form, "securityGroupInfo").await?;
    Ok(found.iter().map(read).collect())
}

/// That a group which was just made is not among those that are told, in EC2's own words for it.
pub(crate) fn not_seen_yet(name: &str) -> AwsError {
    AwsError {
        service: Service::Ec2,
        action: "DescribeSecurityGroups".to_owned(),
        cause: Cause::Refused,
        code: "InvalidGroup.NotFound".to_owned(),
        message: format!("{name} is not to be seen yet"),
        request_id: String::new(),
        status: None,
        maybe_done: false,
    }
}

/// The VPCs that subnets are in, each once.
pub(crate) async fn vpcs_of(session: &Session, region: &str, subnets: &[&str]) -> Result<Vec<String>, AwsError> {
    let form = Form::new("DescribeSubnets").flat("SubnetId", subnets.iter().copied());
    let found = paged(session, region, &form, "subnetSet").await?;
    let mut vpcs: Vec<String> = found.iter().filter_map(|subnet| subnet.text("vpcId").map(str::to_owned)).collect();
    vpcs.sort_unstable();
    vpcs.dedup();
    Ok(vpcs)
}

/// The VPC that is taken when none is named, if the region has one.
pub(crate) async fn default_vpc(session: &Session, region: &str) -> Result<Option<String>, AwsError> {
    let form = Form::new("DescribeVpcs").flat("Filter", [filter("is-default", "true")]);
    let found = paged(session, region, &form, "vpcSet").await?;
    Ok(found.iter().find_map(|vpc| vpc.text("vpcId").map(str::to_owned)))
}

/// Makes a security group.
pub(crate) async fn create(
    session: &Session,
    region: &str,
    (name, description, vpc_id): (&str, &str, &str),
    given: &[(String, String)],
) -> Result<(), AwsError> {
    let tags = Form::part().set("ResourceType", "security-group").flat("Tag", tags::sent(given));
    let form = Form::new("CreateSecurityGroup")
        .set("GroupName", name)
        .set("GroupDescription", description)
        .set("VpcId", vpc_id)
        .flat("TagSpecification", [tags]);
    session.query(Service::Ec2, region, form, Safety::LookFirst).await.map(drop)
}

/// Takes a security group away.
pub(crate) async fn delete(session: &Session, region: &str, id: &str) -> Result<(), AwsError> {
    ask(session, region, Form::new("DeleteSecurityGroup").set("GroupId", id)).await.map(drop)
}

/// What is done with permissions, all of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Authorize,
    Describe,
    Revoke,
}

/// Adds permissions to a group, describes them anew, or takes them away.
pub(crate) async fn permissions(
    session: &Session,
    region: &str,
    (doing, ingress): (Doing, bool),
    group: &str,
    permissions: &[&Permission],
) -> Result<(), AwsError> {
    let action = match (doing, ingress) {
        (Doing::Authorize, true) => "AuthorizeSecurityGroupIngress",
        (Doing::Authorize, false) => "AuthorizeSecurityGroupEgress",
        (Doing::Describe, true) => "UpdateSecurityGroupRuleDescriptionsIngress",
        (Doing::Describe, false) => "UpdateSecurityGroupRuleDescriptionsEgress",
        (Doing::Revoke, true) => "RevokeSecurityGroupIngress",
        (Doing::Revoke, false) => "RevokeSecurityGroupEgress",
    };
    // A description is no part of what is taken away.
    let described = doing != Doing::Revoke;
    let form = Form::new(action)
        .set("GroupId", group)
        .flat("IpPermissions", permissions.iter().map(|permission| sent(permission, described)));
    ask(session, region, form).await.map(drop)
}

/// Adds tags, or gives them other values.
pub(crate) async fn tag(session: &Session, region: &str, id: &str, given: &[(String, String)]) -> Result<(), AwsError> {
    let form = Form::new("CreateTags").flat("ResourceId", [id]).flat("Tag", tags::sent(given));
    ask(session, region, form).await.map(drop)
}

/// Takes tags away, whatever their values.
pub(crate) async fn untag(session: &Session, region: &str, id: &str, keys: &[String]) -> Result<(), AwsError> {
    let keys = keys.iter().map(|key| Form::part().set("Key", key));
    let form = Form::new("DeleteTags").flat("ResourceId", [id]).flat("Tag", keys);
    ask(session, region, form).await.map(drop)
}

pub(super) async fn ask(session: &Session, region: &str, form: Form) -> Result<Element, AwsError> {
    session.query(Service::Ec2, region, form, Safety::Repeatable).await
}

pub(super) async fn paged(session: &Session, region: &str, form: &Form, list: &str) -> Result<Vec<Element>, AwsError> {
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = ask(session, region, form.clone().set("NextToken", next)).await?;
        found.extend(page.list(list, "item").cloned());
        next = page.text("nextToken").filter(|token| !token.is_empty()).map(str::to_owned);
        if next.is_none() {
            return Ok(found);
        }
    }
}

pub(super) fn filter(name: &str, value: &str) -> Form {
    Form::part().set("Name", name).flat("Value", [value])
}

fn sent(permission: &Permission, described: bool) -> Form {
    let description = Some(permission.description.as_str()).filter(|text| described && !text.is_empty());
    let part = |name: &str, value: &str| Form::part().set(name, value).set("Description", description);
    let form = Form::part()
        .set("IpProtocol", &permission.protocol)
        .set("FromPort", permission.ports.map(|(first, _)| first))
        .set("ToPort", permission.ports.map(|(_, last)| last));
    match &permission.peer {
        Peer::Ipv4(cidr) => form.flat("IpRanges", [part("CidrIp", cidr)]),
        Peer::Ipv6(cidr) => form.flat("Ipv6Ranges", [part("CidrIpv6", cidr)]),
        Peer::Group { id, account } => form.flat("Groups", [part("GroupId", id).set("UserId", account.as_deref())]),
        Peer::List(id) => form.flat("PrefixListIds", [part("PrefixListId", id)]),
    }
}

fn read(group: &Element) -> SecurityGroup {
    let text = |name| group.text(name).unwrap_or_default().to_owned();
    let own_account = group.text("ownerId");
    let direction = |list: &'static str, ingress| {
        group.list(list, "item").flat_map(move |permission| peers(permission, ingress, own_account))
    };
    SecurityGroup {
        id: text("groupId"),
        arn: text("securityGroupArn"),
        name: text("groupName"),
        description: text("groupDescription"),
        vpc_id: text("vpcId"),
        permissions: direction("ipPermissions", true).chain(direction("ipPermissionsEgress", false)).collect(),
        tags: group
            .list("tagSet", "item")
            .filter_map(|tag| Some((tag.text("key")?.to_owned(), tag.text("value")?.to_owned())))
            .collect(),
    }
}

/// EC2 puts all peers of the same ports into one.
fn peers(permission: &Element, ingress: bool, own_account: Option<&str>) -> Vec<Permission> {
    let of = |list: &str, name: &str, peer: &dyn Fn(String, &Element) -> Peer| -> Vec<Permission> {
        permission
            .list(list, "item")
            .filter_map(|item| {
                Some(Permission {
                    ingress,
                    protocol: permission.text("ipProtocol").unwrap_or_default().to_owned(),
                    ports: permission.int("fromPort").zip(permission.int("toPort")),
                    peer: peer(item.text(name)?.to_owned(), item),
                    description: item.text("description").unwrap_or_default().to_owned(),
                })
            })
            .collect()
    };
    let group = |id, item: &Element| {
        let account = item.text("userId").filter(|account| Some(*account) != own_account && !account.is_empty());
        Peer::Group { id, account: account.map(str::to_owned) }
    };
    [
        of("ipRanges", "cidrIp", &|cidr, _| Peer::Ipv4(cidr)),
        of("ipv6Ranges", "cidrIpv6", &|cidr, _| Peer::Ipv6(cidr)),
        of("groups", "groupId", &group),
        of("prefixListIds", "prefixListId", &|id, _| Peer::List(id)),
    ]
    .concat()
}
