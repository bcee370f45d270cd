//! EC2, as far as a database needs it: networks, subnets and whether they reach the internet, and security groups.

pub mod filters;
pub mod groups;
pub mod network;
pub mod routes;
pub mod rules;
pub mod vpc;

pub use self::network::Network;

use crate::rds::Region;
use crate::wire::{Element, Form, Refusal};

/// The answer to a request.
pub fn answer(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    match form.required("Action")? {
        "AssociateRouteTable" => routes::associate(&mut region.around, form),
        "AttachInternetGateway" => routes::attach(&mut region.around, form),
        "AuthorizeSecurityGroupEgress" => rules::authorize(region, form, true),
        "AuthorizeSecurityGroupIngress" => rules::authorize(region, form, false),
        "CreateInternetGateway" => routes::create_gateway(&mut region.around, form),
        "CreateRoute" => routes::create_route(&mut region.around, form),
        "CreateRouteTable" => routes::create_table(&mut region.around, form),
        "CreateSecurityGroup" => groups::create(region, form),
        "CreateSubnet" => vpc::create_subnet(region, form),
        "CreateTags" => tag(&mut region.around, form, true),
        "CreateVpc" => vpc::create(&mut region.around, form),
        "DeleteInternetGateway" => routes::delete_gateway(&mut region.around, form),
        "DeleteSecurityGroup" => groups::delete(region, form),
        "DeleteSubnet" => vpc::delete_subnet(region, form),
        "DeleteTags" => tag(&mut region.around, form, false),
        "DeleteVpc" => vpc::delete(&mut region.around, form),
        "DescribeAvailabilityZones" => vpc::zones(region, form),
        "DescribeInternetGateways" => routes::describe_gateways(&region.around, form),
        "DescribeRouteTables" => routes::describe_tables(&region.around, form),
        "DescribeSecurityGroupRules" => rules::describe(&region.around, form),
        "DescribeSecurityGroups" => groups::describe(region, form),
        "DescribeSubnets" => vpc::describe_subnets(region, form),
        "DescribeVpcAttribute" => vpc::attribute(&region.around, form),
        "DescribeVpcs" => vpc::describe(&region.around, form),
        "DetachInternetGateway" => routes::detach(&mut region.around, form),
        "ModifyVpcAttribute" => vpc::modify(&mut region.around, form),
        "RevokeSecurityGroupEgress" => rules::revoke(&mut region.around, form, true),
        "RevokeSecurityGroupIngress" => rules::revoke(&mut region.around, form, false),
        "UpdateSecurityGroupRuleDescriptionsEgress" => rules::describe_anew(region, form, true),
        "UpdateSecurityGroupRuleDescriptionsIngress" => rules::describe_anew(region, form, false),
        other => Err(Refusal::of(
            "InvalidAction",
            format!("The action {other} is not valid for this web service. The emulator has what a database needs."),
        )),
    }
}

/// `CreateTags` and `DeleteTags`.
fn tag(network: &mut Network, form: &Form, adds: bool) -> Result<Element, Refusal> {
    let ids = form.flat("ResourceId");
    let missing = |id: &&str| Refusal::of("InvalidID", format!("The ID '{id}' is not valid"));
    for id in &ids {
        network.tags(id).ok_or_else(|| missing(id))?;
    }
    let pairs = form.flat_structures("Tag").into_iter();
    let pairs = pairs.map(|tag| Ok((tag.required("Key")?.to_owned(), tag.text("Value").map(str::to_owned))));
    let pairs = pairs.collect::<Result<Vec<(String, Option<String>)>, Refusal>>()?;
    for id in &ids {
        let tags = network.tags(id).ok_or_else(|| missing(id))?;
        if adds {
            let more = pairs.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default()));
            let all = tags.clone().into_iter().filter(|(key, _)| pairs.iter().all(|(sent, _)| sent != key)).chain(more);
            *tags = super::checked(all.collect(), "InvalidParameterValue")?;
        } else {
            // A tag whose value is said is removed only if it has that value.
            tags.retain(|key, held| {
                pairs.iter().all(|(sent, value)| sent != key || value.as_ref().is_some_and(|value| value != held))
            });
        }
    }
    Ok(Element::new("").put("return", true))
}
