//! Networks, subnets and zones.

use ipnet::Ipv4Net;

use super::filters::{Filters, listed, named, specified, tagged};
use super::network::{DEFAULT_VPC, Network, Subnet, Vpc};
use crate::around::Tags;
use crate::rds::Region;
use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// `CreateVpc`.
pub fn create(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let cidr = network_of(form.required("CidrBlock")?)?;
    if !(16..=28).contains(&cidr.prefix_len()) {
        return Err(Refusal::of("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let tags = specified(form, "vpc")?;
    let (id, table, group) = (network.id("vpc"), network.id("rtb"), network.id("sg"));
    let vpc = Vpc { cidr: cidr.to_string(), dns_support: true, dns_hostnames: false, tags };
    network.vpcs.insert(id.clone(), vpc);
    network.furnish(&id, &table, &group);
    Ok(Element::new("").with(shown(&id, &network.vpcs[&id]).named("vpc")))
}

/// `DeleteVpc`: with nothing in it but what it came with.
pub fn delete(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let id = existing(network, form.required("VpcId")?)?;
    let has_subnets = network.subnets.values().any(|subnet| subnet.vpc == id);
    let has_groups = network.security_groups.values().any(|group| group.vpc == id && group.name != "default");
    let has_gateway = network.gateways.values().any(|gateway| gateway.vpc.as_ref() == Some(&id));
    if has_subnets || has_groups || has_gateway {
        return Err(in_use("vpc", &id));
    }
    network.vpcs.remove(&id);
    network.routes.retain(|_, table| table.vpc != id);
    network.security_groups.retain(|_, group| group.vpc != id);
    Ok(Element::new("").put("return", true))
}

/// `DescribeVpcs`.
pub fn describe(network: &Network, form: &Form) -> Result<Element, Refusal> {
    let filters = Filters::read(form, &["vpc-id", "cidr", "cidr-block", "is-default", "isDefault", "state"])?;
    let ids = named(form, "VpcId", |id| network.vpcs.contains_key(id), "InvalidVpcID.NotFound", "vpc ID")?;
    let found = network.vpcs.iter().filter(|(id, vpc)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.hold(&vpc.tags, |name| {
                vec![match name {
                    "vpc-id" => (*id).clone(),
                    "is-default" | "isDefault" => (*id == DEFAULT_VPC).to_string(),
                    "state" => "available".to_owned(),
                    _ => vpc.cidr.clone(),
                }]
            })
    });
    listed(form, "vpcSet", found.map(|(id, vpc)| shown(id, vpc)).collect())
}

/// `DescribeVpcAttribute`.
pub fn attribute(network: &Network, form: &Form) -> Result<Element, Refusal> {
    let id = existing(network, form.required("VpcId")?)?;
    let vpc = &network.vpcs[&id];
    let answer = Element::new("").put("vpcId", &id);
    let is = |name: &'static str, is_on: bool| Element::new(name).put("value", is_on);
    match form.required("Attribute")? {
        "enableDnsSupport" => Ok(answer.with(is("enableDnsSupport", vpc.dns_support))),
        "enableDnsHostnames" => Ok(answer.with(is("enableDnsHostnames", vpc.dns_hostnames))),
        "enableNetworkAddressUsageMetrics" => Ok(answer.with(is("enableNetworkAddressUsageMetrics", false))),
        other => Err(Refusal::value(format!("Value ({other}) for parameter attribute is invalid."))),
    }
}

/// `ModifyVpcAttribute`.
pub fn modify(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let id = existing(network, form.required("VpcId")?)?;
    let (support, names) = (form.bool("EnableDnsSupport.Value")?, form.bool("EnableDnsHostnames.Value")?);
    if support.is_some() == names.is_some() {
        return Err(Refusal::combination("One attribute can be modified at a time."));
    }
    if let Some(vpc) = network.vpcs.get_mut(&id) {
        vpc.dns_support = support.unwrap_or(vpc.dns_support);
        vpc.dns_hostnames = names.unwrap_or(vpc.dns_hostnames);
    }
    Ok(Element::new("").put("return", true))
}

/// `CreateSubnet`.
pub fn create_subnet(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let vpc = existing(&region.around, form.required("VpcId")?)?;
    let cidr = network_of(form.required("CidrBlock")?)?;
    let whole = network_of(&region.around.vpcs[&vpc].cidr)?;
    if !whole.contains(&cidr) {
        return Err(Refusal::of("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let mut others = region.around.subnets.values().filter(|subnet| subnet.vpc == vpc);
    let overlaps = |other: &Ipv4Net| other.contains(&cidr) || cidr.contains(other);
    if others.any(|other| other.cidr.parse().is_ok_and(|other: Ipv4Net| overlaps(&other))) {
        return Err(Refusal::of("InvalidSubnet.Conflict", format!("The CIDR '{cidr}' conflicts with another subnet")));
    }
    let zone = form.text("AvailabilityZone").map_or_else(|| format!("{}a", region.name), str::to_owned);
    if !zones_of(&region.name).contains(&zone) {
        return Err(Refusal::value(format!("Value ({zone}) for parameter availabilityZone is invalid.")));
    }
    let tags = specified(form, "subnet")?;
    let id = region.around.id("subnet");
    region.around.subnets.insert(id.clone(), Subnet { zone, vpc, cidr: cidr.to_string(), tags });
    let made = shown_subnet(region, &id, &region.around.subnets[&id]);
    Ok(Element::new("").with(made.named("subnet")))
}

/// `DeleteSubnet`: refused while a database may be in it.
pub fn delete_subnet(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let id = form.required("SubnetId")?.to_owned();
    if !region.around.subnets.contains_key(&id) {
        return Err(Refusal::of("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")));
    }
    let mut groups =
        region.instances.values().filter_map(|instance| crate::rds::subnet::group(region, &instance.set.subnet_group));
    if groups.any(|group| group.subnets.contains(&id)) {
        return Err(in_use("subnet", &id));
    }
    region.around.subnets.remove(&id);
    region.around.routes.values_mut().for_each(|table| table.subnets.retain(|one| *one != id));
    Ok(Element::new("").put("return", true))
}

/// `DescribeSubnets`.
pub fn describe_subnets(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let known =
        ["subnet-id", "vpc-id", "availability-zone", "availabilityZone", "cidr-block", "default-for-az", "state"];
    let filters = Filters::read(form, &known)?;
    let subnets = &region.around.subnets;
    let ids = named(form, "SubnetId", |id| subnets.contains_key(id), "InvalidSubnetID.NotFound", "subnet ID")?;
    let found = subnets.iter().filter(|(id, subnet)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.hold(&subnet.tags, |name| {
                vec![match name {
                    "subnet-id" => (*id).clone(),
                    "vpc-id" => subnet.vpc.clone(),
                    "availability-zone" | "availabilityZone" => subnet.zone.clone(),
                    "default-for-az" => (subnet.vpc == DEFAULT_VPC).to_string(),
                    "state" => "available".to_owned(),
                    _ => subnet.cidr.clone(),
                }]
            })
    });
    listed(form, "subnetSet", found.map(|(id, subnet)| shown_subnet(region, id, subnet)).collect())
}

/// `DescribeAvailabilityZones`.
pub fn zones(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let filters = Filters::read(form, &["zone-name", "region-name", "state", "zone-type", "opt-in-status"])?;
    let asked = form.flat("ZoneName");
    let found = zones_of(&region.name).into_iter().filter(|zone| {
        (asked.is_empty() || asked.contains(&zone.as_str()))
            && filters.hold(&Tags::new(), |name| {
                vec![match name {
                    "zone-name" => zone.clone(),
                    "region-name" => region.name.clone(),
                    "state" => "available".to_owned(),
                    "zone-type" => "availability-zone".to_owned(),
                    _ => "opt-in-not-required".to_owned(),
                }]
            })
    });
    let items = found.map(|zone| {
        let id = zone.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        Element::new("item")
            .put("zoneName", &zone)
            .put("zoneState", "available")
            .put("regionName", &region.name)
            .put("zoneId", id)
            .put("optInStatus", "opt-in-not-required")
            .put("zoneType", "availability-zone")
    });
    Ok(Element::new("").list("availabilityZoneInfo", items.collect::<Vec<_>>()))
}

/// A VPC that must exist.
pub fn existing(network: &Network, id: &str) -> Result<String, Refusal> {
    network
        .vpcs
        .contains_key(id)
        .then(|| id.to_owned())
        .ok_or_else(|| Refusal::of("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")))
}

/// Something still needs it.
pub fn in_use(what: &str, id: &str) -> Refusal {
    Refusal::of("DependencyViolation", format!("The {what} '{id}' has dependencies and cannot be deleted."))
}

/// The zones of a region: every one has three here.
fn zones_of(region: &str) -> Vec<String> {
    ["a", "b", "c"].map(|zone| format!("{region}{zone}")).into()
}

fn network_of(text: &str) -> Result<Ipv4Net, Refusal> {
    text.parse().map_err(|_| {
        Refusal::value(format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."))
    })
}

fn shown(id: &str, vpc: &Vpc) -> Element {
    let association = Element::new("item")
        .put("cidrBlock", &vpc.cidr)
        .put("associationId", format!("vpc-cidr-assoc-{id}"))
        .with(Element::new("cidrBlockState").put("state", "associated"));
    let element = Element::new("item")
        .put("vpcId", id)
        .put("ownerId", ACCOUNT)
        .put("state", "available")
        .put("cidrBlock", &vpc.cidr)
        .list("cidrBlockAssociationSet", [association])
        .put("dhcpOptionsId", "dopt-default")
        .put("instanceTenancy", "default")
        .put("isDefault", id == DEFAULT_VPC);
    tagged(element, &vpc.tags)
}

fn shown_subnet(region: &Region, id: &str, subnet: &Subnet) -> Element {
    let is_default = subnet.vpc == DEFAULT_VPC;
    let free = subnet.cidr.parse().map_or(251, |cidr: Ipv4Net| (1_u64 << (32 - cidr.prefix_len())).saturating_sub(5));
    let element = Element::new("item")
        .put("subnetId", id)
        .put("subnetArn", format!("arn:aws:ec2:{}:{ACCOUNT}:subnet/{id}", region.name))
        .put("ownerId", ACCOUNT)
        .put("state", "available")
        .put("vpcId", &subnet.vpc)
        .put("cidrBlock", &subnet.cidr)
        .put("availableIpAddressCount", free)
        .put("availabilityZone", &subnet.zone)
        .put("defaultForAz", is_default)
        .put("mapPublicIpOnLaunch", is_default)
        .put("assignIpv6AddressOnCreation", false);
    tagged(element, &subnet.tags)
}
