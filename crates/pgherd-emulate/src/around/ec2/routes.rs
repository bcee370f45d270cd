//! Ways out of a network: internet gateways and route tables.

use super::filters::{Filters, listed, named, specified, tagged};
use super::network::{Gateway, Network, RouteTable};
use super::vpc::{existing, in_use};
use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// `CreateInternetGateway`.
pub fn create_gateway(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let tags = specified(form, "internet-gateway")?;
    let id = network.id("igw");
    network.gateways.insert(id.clone(), Gateway { vpc: None, tags });
    Ok(Element::new("").with(shown_gateway(&id, &network.gateways[&id]).named("internetGateway")))
}

/// `AttachInternetGateway`.
pub fn attach(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let vpc = existing(network, form.required("VpcId")?)?;
    let id = gateway(network, form.required("InternetGatewayId")?)?;
    if network.gateways.values().any(|gateway| gateway.vpc.as_ref() == Some(&vpc)) {
        return Err(Refusal::value(format!("Network {vpc} already has an internet gateway attached")));
    }
    if let Some(gateway) = network.gateways.get_mut(&id) {
        if let Some(other) = &gateway.vpc {
            let message = format!("resource {id} is already attached to network {other}");
            return Err(Refusal::of("Resource.AlreadyAssociated", message));
        }
        gateway.vpc = Some(vpc);
    }
    Ok(Element::new("").put("return", true))
}

/// `DetachInternetGateway`.
pub fn detach(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let vpc = existing(network, form.required("VpcId")?)?;
    let id = gateway(network, form.required("InternetGatewayId")?)?;
    match network.gateways.get_mut(&id).filter(|gateway| gateway.vpc.as_ref() == Some(&vpc)) {
        Some(gateway) => {
            gateway.vpc = None;
            Ok(Element::new("").put("return", true))
        }
        None => Err(Refusal::of("Gateway.NotAttached", format!("resource {id} is not attached to network {vpc}"))),
    }
}

/// `DeleteInternetGateway`.
pub fn delete_gateway(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let id = gateway(network, form.required("InternetGatewayId")?)?;
    if network.gateways[&id].vpc.is_some() {
        return Err(in_use("internetGateway", &id));
    }
    network.gateways.remove(&id);
    Ok(Element::new("").put("return", true))
}

/// `DescribeInternetGateways`.
pub fn describe_gateways(network: &Network, form: &Form) -> Result<Element, Refusal> {
    let filters = Filters::read(form, &["attachment.vpc-id", "attachment.state", "internet-gateway-id", "owner-id"])?;
    let is_there = |id: &str| network.gateways.contains_key(id);
    let ids = named(form, "InternetGatewayId", is_there, "InvalidInternetGatewayID.NotFound", "internetGateway ID")?;
    let found = network.gateways.iter().filter(|(id, gateway)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.hold(&gateway.tags, |name| match name {
                "attachment.vpc-id" => gateway.vpc.clone().into_iter().collect(),
                "attachment.state" => gateway.vpc.iter().map(|_| "available".to_owned()).collect(),
                "internet-gateway-id" => vec![(*id).clone()],
                _ => vec![ACCOUNT.to_owned()],
            })
    });
    listed(form, "internetGatewaySet", found.map(|(id, gateway)| shown_gateway(id, gateway)).collect())
}

/// `CreateRouteTable`.
pub fn create_table(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let vpc = existing(network, form.required("VpcId")?)?;
    let tags = specified(form, "route-table")?;
    let routes = [(network.vpcs[&vpc].cidr.clone(), "local".to_owned())].into();
    let id = network.id("rtb");
    network.routes.insert(id.clone(), RouteTable { vpc, is_main: false, subnets: Vec::new(), routes, tags });
    Ok(Element::new("").with(shown_table(&id, &network.routes[&id]).named("routeTable")))
}

/// `CreateRoute`: to an internet gateway.
pub fn create_route(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let id = table(network, form.required("RouteTableId")?)?;
    let destination = form.required("DestinationCidrBlock")?.to_owned();
    let to = form
        .text("GatewayId")
        .ok_or_else(|| Refusal::combination("The emulator routes to internet gateways only: say GatewayId."))?;
    let to = gateway(network, to)?;
    if let Some(table) = network.routes.get_mut(&id) {
        if table.routes.contains_key(&destination) {
            let message = format!("The route identified by {destination} already exists.");
            return Err(Refusal::of("RouteAlreadyExists", message));
        }
        table.routes.insert(destination, to);
    }
    Ok(Element::new("").put("return", true))
}

/// `AssociateRouteTable`.
pub fn associate(network: &mut Network, form: &Form) -> Result<Element, Refusal> {
    let id = table(network, form.required("RouteTableId")?)?;
    let subnet = form.required("SubnetId")?.to_owned();
    if !network.subnets.contains_key(&subnet) {
        return Err(Refusal::of("InvalidSubnetID.NotFound", format!("The subnet ID '{subnet}' does not exist")));
    }
    if network.routes.values().any(|table| table.subnets.contains(&subnet)) {
        let message = format!("The subnet '{subnet}' already has a route table of its own");
        return Err(Refusal::of("Resource.AlreadyAssociated", message));
    }
    let association = format!("rtbassoc-{subnet}");
    if let Some(table) = network.routes.get_mut(&id) {
        table.subnets.push(subnet);
    }
    Ok(Element::new("").put("associationId", association))
}

/// `DescribeRouteTables`.
pub fn describe_tables(network: &Network, form: &Form) -> Result<Element, Refusal> {
    let known = [
        "vpc-id",
        "route-table-id",
        "association.main",
        "association.subnet-id",
        "association.route-table-id",
        "route.gateway-id",
    ];
    let filters = Filters::read(form, &known)?;
    let is_there = |id: &str| network.routes.contains_key(id);
    let ids = named(form, "RouteTableId", is_there, "InvalidRouteTableID.NotFound", "routeTable ID")?;
    let found = network.routes.iter().filter(|(id, table)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.hold(&table.tags, |name| match name {
                "vpc-id" => vec![table.vpc.clone()],
                "association.main" => vec![table.is_main.to_string()],
                "association.subnet-id" => table.subnets.clone(),
                "route.gateway-id" => table.routes.values().cloned().collect(),
                _ => vec![(*id).clone()],
            })
    });
    listed(form, "routeTableSet", found.map(|(id, table)| shown_table(id, table)).collect())
}

fn gateway(network: &Network, id: &str) -> Result<String, Refusal> {
    let missing = || {
        let message = format!("The internetGateway ID '{id}' does not exist");
        Refusal::of("InvalidInternetGatewayID.NotFound", message)
    };
    network.gateways.contains_key(id).then(|| id.to_owned()).ok_or_else(missing)
}

fn table(network: &Network, id: &str) -> Result<String, Refusal> {
    let missing = || Refusal::of("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist"));
    network.routes.contains_key(id).then(|| id.to_owned()).ok_or_else(missing)
}

fn shown_gateway(id: &str, gateway: &Gateway) -> Element {
    let attached = gateway.vpc.iter().map(|vpc| Element::new("item").put("vpcId", vpc).put("state", "available"));
    let element =
        Element::new("item").put("internetGatewayId", id).put("ownerId", ACCOUNT).list("attachmentSet", attached);
    tagged(element, &gateway.tags)
}

fn shown_table(id: &str, table: &RouteTable) -> Element {
    let routes = table.routes.iter().map(|(destination, to)| {
        Element::new("item")
            .put("destinationCidrBlock", destination)
            .put("gatewayId", to)
            .put("state", "active")
            .put("origin", if to == "local" { "CreateRouteTable" } else { "CreateRoute" })
    });
    let association = |is_main: bool| {
        Element::new("item")
            .put("routeTableId", id)
            .put("main", is_main)
            .with(Element::new("associationState").put("state", "associated"))
    };
    let main = table.is_main.then(|| association(true).put("routeTableAssociationId", format!("rtbassoc-{id}")));
    let own = table.subnets.iter().map(|subnet| {
        association(false).put("routeTableAssociationId", format!("rtbassoc-{subnet}")).put("subnetId", subnet)
    });
    let element = Element::new("item")
        .put("routeTableId", id)
        .put("vpcId", &table.vpc)
        .put("ownerId", ACCOUNT)
        .list("routeSet", routes)
        .list("associationSet", main.into_iter().chain(own))
        .list("propagatingVgwSet", []);
    tagged(element, &table.tags)
}
