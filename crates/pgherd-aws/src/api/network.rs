//! Networks, as far as a database has to be reached in them.

use super::ec2::{ask, filter, paged};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::session::Session;

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) zone: String,
}

/// Subnets by their ids; refused when one of them is not there.
pub(crate) async fn subnets(session: &Session, region: &str, ids: &[&str]) -> Result<Vec<Subnet>, AwsError> {
    let form = Form::new("DescribeSubnets").flat("SubnetId", ids.iter().copied());
    let found = paged(session, region, &form, "subnetSet").await?;
    let text = |told: Option<&str>| told.unwrap_or_default().to_owned();
    let read = found.iter().map(|told| Subnet {
        id: text(told.text("subnetId")),
        vpc: text(told.text("vpcId")),
        zone: text(told.text("availabilityZone")),
    });
    Ok(read.collect())
}

/// Whether an internet gateway is attached to a VPC.
pub(crate) async fn has_internet_gateway(session: &Session, region: &str, vpc: &str) -> Result<bool, AwsError> {
    let form = Form::new("DescribeInternetGateways").flat("Filter", [filter("attachment.vpc-id", vpc)]);
    Ok(!paged(session, region, &form, "internetGatewaySet").await?.is_empty())
}

/// A switch of a VPC, such as `enableDnsHostnames`.
pub(crate) async fn is_on(session: &Session, region: &str, vpc: &str, switch: &str) -> Result<bool, AwsError> {
    let form = Form::new("DescribeVpcAttribute").set("VpcId", vpc).set("Attribute", switch);
    Ok(ask(session, region, form).await?.bool(&format!("{switch}/value")).unwrap_or_default())
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteTable {
    /// Whether it holds for the subnets that have none of their own.
    pub(crate) is_main: bool,
    /// The subnets it holds for.
    pub(crate) subnets: Vec<String>,
    /// Whether it leads to the internet.
    pub(crate) leads_out: bool,
}

/// The route tables of a VPC.
pub(crate) async fn route_tables(session: &Session, region: &str, vpc: &str) -> Result<Vec<RouteTable>, AwsError> {
    let form = Form::new("DescribeRouteTables").flat("Filter", [filter("vpc-id", vpc)]);
    let found = paged(session, region, &form, "routeTableSet").await?;
    let read = found.iter().map(|told| RouteTable {
        is_main: told.list("associationSet", "item").any(|one| one.bool("main") == Some(true)),
        subnets: told
            .list("associationSet", "item")
            .filter_map(|one| one.text("subnetId").map(str::to_owned))
            .collect(),
        leads_out: told
            .list("routeSet", "item")
            .any(|route| route.text("gatewayId").is_some_and(|gateway| gateway.starts_with("igw-"))),
    });
    Ok(read.collect())
}
