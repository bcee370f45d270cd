//! Subnet groups.

use std::collections::BTreeSet;

use super::state::Region;
use super::{Listing, paged, tags};
use crate::around::ec2::network::DEFAULT_VPC;
use crate::wire::{Element, Form, Refusal};

/// A subnet group.
#[derive(Debug, Clone)]
pub struct SubnetGroup {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where it is.
    pub vpc: String,
    /// The ids of its subnets.
    pub subnets: Vec<String>,
}

/// A group by its name; `default` is there from the beginning.
pub fn group(region: &Region, name: &str) -> Option<SubnetGroup> {
    if name != "default" {
        return region.subnet_groups.get(name).cloned();
    }
    let subnets = region.around.subnets.iter().filter(|(_, subnet)| subnet.vpc == DEFAULT_VPC);
    Some(SubnetGroup {
        name: name.to_owned(),
        description: "default".to_owned(),
        vpc: DEFAULT_VPC.to_owned(),
        subnets: subnets.map(|(id, _)| id.clone()).collect(),
    })
}

/// A group that must exist.
pub fn existing(region: &Region, name: &str) -> Result<SubnetGroup, Refusal> {
    group(region, &name.to_lowercase())
        .ok_or_else(|| Refusal::missing("DBSubnetGroupNotFoundFault", format!("DB Subnet group '{name}' not found.")))
}

/// `CreateDBSubnetGroup`.
pub fn create(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let name = form.required("DBSubnetGroupName")?.to_lowercase();
    let description = form.required("DBSubnetGroupDescription")?.to_owned();
    named(&name)?;
    let (subnets, vpc) = members(region, form)?;
    if region.subnet_groups.contains_key(&name) {
        return Err(Refusal::of("DBSubnetGroupAlreadyExists", format!("The DB subnet group '{name}' already exists.")));
    }
    let given = tags::sent(form)?;
    region.tags.insert(region.arn("subgrp", &name), given);
    let group = SubnetGroup { name: name.clone(), description, vpc, subnets };
    let answer = Element::new("").with(shown(region, &group));
    region.subnet_groups.insert(name, group);
    Ok(answer)
}

/// `ModifyDBSubnetGroup`.
pub fn modify(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let mut group = existing(region, form.required("DBSubnetGroupName")?)?;
    let (subnets, vpc) = members(region, form)?;
    if vpc != group.vpc {
        return Err(Refusal::of("InvalidSubnet", format!("The subnets are not all in {}.", group.vpc)));
    }
    let zones = |ids: &[String]| -> BTreeSet<String> {
        ids.iter().filter_map(|id| Some(region.around.subnets.get(id)?.zone.clone())).collect()
    };
    let left = zones(&subnets);
    let in_use =
        region.instances.values().find(|one| one.set.subnet_group == group.name && !left.contains(&one.set.zone));
    if let Some(instance) = in_use {
        return Err(Refusal::of(
            "SubnetAlreadyInUse",
            format!("The subnet of {} is in use by {}.", instance.set.zone, instance.id),
        ));
    }
    group.subnets = subnets;
    group.description = form.text("DBSubnetGroupDescription").unwrap_or(&group.description).to_owned();
    region.subnet_groups.insert(group.name.clone(), group.clone());
    Ok(Element::new("").with(shown(region, &group)))
}

/// `DescribeDBSubnetGroups`.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let found = match form.text("DBSubnetGroupName") {
        Some(name) => vec![existing(region, name)?],
        None => region.subnet_groups.values().cloned().collect(),
    };
    paged(form, Listing { name: "DBSubnetGroups", items: found.iter().map(|group| shown(region, group)).collect() })
}

/// `DeleteDBSubnetGroup`.
pub fn delete(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let group = existing(region, form.required("DBSubnetGroupName")?)?;
    if group.name == "default" {
        return Err(Refusal::value("The DB subnet group 'default' cannot be deleted."));
    }
    if let Some(instance) = region.instances.values().find(|instance| instance.set.subnet_group == group.name) {
        return Err(Refusal::of(
            "InvalidDBSubnetGroupStateFault",
            format!(
                "Cannot delete the subnet group '{}' because at least one database instance: {} is still using it.",
                group.name, instance.id
            ),
        ));
    }
    region.subnet_groups.remove(&group.name);
    region.tags.remove(&region.arn("subgrp", &group.name));
    Ok(Element::new(""))
}

/// A group as answers show it.
pub fn shown(region: &Region, group: &SubnetGroup) -> Element {
    let subnets = group.subnets.iter().map(|id| {
        let zone = region.around.subnets.get(id).map(|subnet| &subnet.zone);
        Element::new("Subnet")
            .put("SubnetIdentifier", id)
            .with(Element::new("SubnetAvailabilityZone").maybe("Name", zone))
            .put("SubnetStatus", "Active")
    });
    Element::new("DBSubnetGroup")
        .put("DBSubnetGroupName", &group.name)
        .put("DBSubnetGroupDescription", &group.description)
        .put("VpcId", &group.vpc)
        .put("SubnetGroupStatus", "Complete")
        .list("Subnets", subnets)
        .put("DBSubnetGroupArn", region.arn("subgrp", &group.name))
}

fn named(name: &str) -> Result<(), Refusal> {
    let is_named = (1..=255).contains(&name.len())
        && name != "default"
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte));
    is_named.then_some(()).ok_or_else(|| {
        Refusal::value("The parameter DBSubnetGroupName must contain 1 to 255 letters, numbers, periods, underscores, spaces or hyphens and must not be 'default'.")
    })
}

/// The subnets sent, and the one VPC they are in.
fn members(region: &Region, form: &Form) -> Result<(Vec<String>, String), Refusal> {
    let sent: Vec<_> = form.list("SubnetIds", "SubnetIdentifier").unwrap_or_default();
    let mut zones = BTreeSet::new();
    let mut vpcs = BTreeSet::new();
    for id in &sent {
        let subnet = region.around.subnets.get(*id).ok_or_else(|| {
            Refusal::of("InvalidSubnet", format!("The requested subnet is invalid, or multiple subnets were requested that are not all in a common VPC: {id}"))
        })?;
        zones.insert(&subnet.zone);
        vpcs.insert(&subnet.vpc);
    }
    if vpcs.len() > 1 {
        return Err(Refusal::of("InvalidSubnet", "The subnets are not all in a common VPC."));
    }
    if sent.iter().collect::<BTreeSet<_>>().len() != sent.len() {
        return Err(Refusal::value("The parameter SubnetIds names a subnet twice."));
    }
    let vpc = vpcs.first().filter(|_| zones.len() >= 2).map(|vpc| (*vpc).clone()).ok_or_else(|| {
        Refusal::of(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at least 2 AZs.",
        )
    })?;
    Ok((sent.into_iter().map(str::to_owned).collect(), vpc))
}
