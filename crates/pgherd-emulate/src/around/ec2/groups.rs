//! Security groups. One that a database or another group refers to cannot be deleted.

use std::collections::BTreeMap;

use super::filters::{Filters, listed, specified, tagged};
use super::network::{DEFAULT_VPC, Group, Opens, Peer, Rule};
use super::vpc;
use crate::rds::Region;
use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// `CreateSecurityGroup`.
pub fn create(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let name = form.required("GroupName")?.to_owned();
    let description = form.required("GroupDescription")?.to_owned();
    let vpc = vpc::existing(&region.around, form.text("VpcId").unwrap_or(DEFAULT_VPC))?;
    written("groupName", &name)?;
    written("groupDescription", &description)?;
    if name.starts_with("sg-") || name == "default" {
        return Err(Refusal::value(format!("Invalid group name: {name}. It cannot be default or begin with sg-.")));
    }
    if region.around.security_groups.values().any(|group| group.vpc == vpc && group.name == name) {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Refusal::of("InvalidGroup.Duplicate", message));
    }
    let tags = specified(form, "security-group")?;
    let id = region.around.id("sg");
    let rules = vec![region.around.everything_out()];
    let group = Group { name, description, vpc, rules, tags };
    let answer = Element::new("").put("return", true).put("groupId", &id).put("securityGroupArn", arn(region, &id));
    let answer = tagged(answer, &group.tags);
    region.around.security_groups.insert(id, group);
    Ok(answer)
}

/// `DeleteSecurityGroup`.
pub fn delete(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let id = asked(region, form)?;
    if region.around.security_groups[&id].name == "default" {
        let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(Refusal::of("CannotDelete", message));
    }
    let is_of_instance = region.instances.values().any(|instance| instance.set.security_groups.contains(&id));
    let is_of_proxy = region.proxies.values().any(|proxy| proxy.set.security_groups.contains(&id));
    let mut others = region.around.security_groups.iter().filter(|(other, _)| **other != id);
    let peer = Peer::Group(id.clone());
    if is_of_instance || is_of_proxy || others.any(|(_, group)| group.rules.iter().any(|rule| rule.opens.peer == peer))
    {
        return Err(Refusal::of("DependencyViolation", format!("resource {id} has a dependent object")));
    }
    region.around.security_groups.remove(&id);
    Ok(Element::new("").put("return", true).put("groupId", id))
}

/// `DescribeSecurityGroups`.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let known = ["group-name", "group-id", "vpc-id", "description", "owner-id", "ip-permission.cidr"];
    let filters = Filters::read(form, &known)?;
    let (ids, names) = (form.flat("GroupId"), form.flat("GroupName"));
    for id in &ids {
        existing(region, id)?;
    }
    let groups = &region.around.security_groups;
    let is_named = |name: &&&str| groups.values().any(|group| group.name == **name && group.vpc == DEFAULT_VPC);
    if let Some(name) = names.iter().find(|name| !is_named(name)) {
        return Err(missing(name));
    }
    let found = groups.iter().filter(|(id, group)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && (names.is_empty() || names.contains(&group.name.as_str()))
            && filters.hold(&group.tags, |name| match name {
                "group-name" => vec![group.name.clone()],
                "group-id" => vec![(*id).clone()],
                "vpc-id" => vec![group.vpc.clone()],
                "description" => vec![group.description.clone()],
                "ip-permission.cidr" => group.rules.iter().filter_map(came_from).collect(),
                _ => vec![ACCOUNT.to_owned()],
            })
    });
    listed(form, "securityGroupInfo", found.map(|(id, group)| shown(region, id, group)).collect())
}

fn came_from(rule: &Rule) -> Option<String> {
    match &rule.opens {
        Opens { is_egress: false, peer: Peer::V4(cidr), .. } => Some(cidr.clone()),
        _ => None,
    }
}

/// The group a request names by id, or by name in the default VPC.
pub fn asked(region: &Region, form: &Form) -> Result<String, Refusal> {
    match (form.text("GroupId"), form.text("GroupName")) {
        (Some(id), _) => existing(region, id),
        (None, Some(name)) => {
            let mut groups = region.around.security_groups.iter();
            let found = groups.find(|(_, group)| group.name == name && group.vpc == DEFAULT_VPC);
            found.map(|(id, _)| id.clone()).ok_or_else(|| missing(name))
        }
        (None, None) => {
            Err(Refusal::of("MissingParameter", "The request must contain the parameter groupName or groupId"))
        }
    }
}

/// A group that must exist.
pub fn existing(region: &Region, id: &str) -> Result<String, Refusal> {
    if !id.starts_with("sg-") {
        return Err(Refusal::of("InvalidGroupId.Malformed", format!("Invalid id: \"{id}\" (expecting \"sg-...\")")));
    }
    region.around.security_groups.contains_key(id).then(|| id.to_owned()).ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Refusal {
    Refusal::of("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

fn arn(region: &Region, id: &str) -> String {
    format!("arn:aws:ec2:{}:{ACCOUNT}:security-group/{id}", region.name)
}

/// What names and descriptions of a group may be written with.
fn written(what: &str, text: &str) -> Result<(), Refusal> {
    let fits =
        text.len() <= 255 && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c));
    fits.then_some(()).ok_or_else(|| {
        Refusal::value(format!(
            "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported."
        ))
    })
}

fn shown(region: &Region, id: &str, group: &Group) -> Element {
    let element = Element::new("item")
        .put("ownerId", ACCOUNT)
        .put("groupId", id)
        .put("groupName", &group.name)
        .put("groupDescription", &group.description)
        .put("vpcId", &group.vpc)
        .put("securityGroupArn", arn(region, id))
        .list("ipPermissions", permissions(&group.rules, false))
        .list("ipPermissionsEgress", permissions(&group.rules, true));
    tagged(element, &group.tags)
}

/// Rules as EC2 shows them: together where protocol and ports are the same.
fn permissions(rules: &[Rule], is_egress: bool) -> Vec<Element> {
    let mut alike: BTreeMap<_, Vec<&Rule>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.opens.is_egress == is_egress) {
        alike.entry((rule.opens.protocol.as_str(), rule.opens.ports)).or_default().push(rule);
    }
    alike.into_iter().map(|((protocol, ports), rules)| permission(protocol, ports, &rules)).collect()
}

fn permission(protocol: &str, ports: Option<(i64, i64)>, rules: &[&Rule]) -> Element {
    let of = |pick: fn(&Rule) -> Option<Element>| {
        rules
            .iter()
            .filter_map(|rule| Some(pick(rule)?.maybe("description", rule.description.as_ref())))
            .collect::<Vec<_>>()
    };
    Element::new("item")
        .put("ipProtocol", protocol)
        .maybe("fromPort", ports.map(|(from, _)| from))
        .maybe("toPort", ports.map(|(_, to)| to))
        .list(
            "groups",
            of(|rule| match &rule.opens.peer {
                Peer::Group(id) => Some(Element::new("item").put("userId", ACCOUNT).put("groupId", id)),
                Peer::V4(_) | Peer::V6(_) => None,
            }),
        )
        .list(
            "ipRanges",
            of(|rule| match &rule.opens.peer {
                Peer::V4(cidr) => Some(Element::new("item").put("cidrIp", cidr)),
                Peer::V6(_) | Peer::Group(_) => None,
            }),
        )
        .list(
            "ipv6Ranges",
            of(|rule| match &rule.opens.peer {
                Peer::V6(cidr) => Some(Element::new("item").put("cidrIpv6", cidr)),
                Peer::V4(_) | Peer::Group(_) => None,
            }),
        )
        .list("prefixListIds", [])
}
