//! Subnet groups and parameter groups.

use std::collections::BTreeMap;

use super::told::text;
use super::{asked, asked_once, listed, tag, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// A subnet group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubnetGroup {
    /// Its name.
    pub(crate) name: String,
    /// `DBSubnetGroupArn`.
    pub(crate) arn: Option<String>,
    /// The network it is in.
    pub(crate) vpc: Option<String>,
    /// Its subnets, and the zone of each.
    pub(crate) subnets: Vec<(String, String)>,
}

impl SubnetGroup {
    pub(super) fn read(told: &Element) -> Self {
        let subnet = |subnet: &Element| {
            Some((text(subnet, "SubnetIdentifier")?, text(subnet, "SubnetAvailabilityZone/Name").unwrap_or_default()))
        };
        Self {
            name: text(told, "DBSubnetGroupName").unwrap_or_default(),
            arn: text(told, "DBSubnetGroupArn"),
            vpc: text(told, "VpcId"),
            subnets: told.list("Subnets", "Subnet").filter_map(subnet).collect(),
        }
    }
}

/// A subnet group by its name.
pub(crate) async fn subnet_group(session: &Session, region: &str, name: &str) -> Result<Option<SubnetGroup>, AwsError> {
    let form = Form::new("DescribeDBSubnetGroups").set("DBSubnetGroupName", name);
    let found = listed(session, region, form, ("DBSubnetGroups", "DBSubnetGroup"), SubnetGroup::read).await;
    Ok(unless_missing(found, "DBSubnetGroupNotFoundFault")?.and_then(|found| found.into_iter().next()))
}

/// CreateDBSubnetGroup.
pub(crate) async fn create_subnet_group(
    session: &Session,
    region: &str,
    name: &str,
    description: &str,
    subnets: &[String],
    tags: &[(String, String)],
) -> Result<(), AwsError> {
    let form = Form::new("CreateDBSubnetGroup")
        .set("DBSubnetGroupName", name)
        .set("DBSubnetGroupDescription", description)
        .list("SubnetIds", "SubnetIdentifier", subnets)
        .list("Tags", "Tag", tags.iter().map(tag));
    asked_once(session, region, form).await.map(drop)
}

/// ModifyDBSubnetGroup: these are all its subnets from then on.
pub(crate) async fn modify_subnet_group(
    session: &Session,
    region: &str,
    name: &str,
    subnets: &[String],
) -> Result<(), AwsError> {
    let form = Form::new("ModifyDBSubnetGroup").set("DBSubnetGroupName", name);
    asked(session, region, form.list("SubnetIds", "SubnetIdentifier", subnets)).await.map(drop)
}

/// DeleteDBSubnetGroup.
pub(crate) async fn delete_subnet_group(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    let form = Form::new("DeleteDBSubnetGroup").set("DBSubnetGroupName", name);
    unless_missing(asked(session, region, form).await, "DBSubnetGroupNotFoundFault").map(drop)
}

/// A parameter group, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParameterGroup {
    /// Its name.
    pub(crate) name: String,
    /// `postgres16`.
    pub(crate) family: String,
    /// `DBParameterGroupArn`.
    pub(crate) arn: String,
}

impl ParameterGroup {
    fn read(told: &Element) -> Self {
        let text = |path: &str| text(told, path).unwrap_or_default();
        Self {
            name: text("DBParameterGroupName"),
            family: text("DBParameterGroupFamily"),
            arn: text("DBParameterGroupArn"),
        }
    }
}

/// All parameter groups of a region.
pub(crate) async fn parameter_groups(session: &Session, region: &str) -> Result<Vec<ParameterGroup>, AwsError> {
    let form = Form::new("DescribeDBParameterGroups");
    listed(session, region, form, ("DBParameterGroups", "DBParameterGroup"), ParameterGroup::read).await
}

/// A parameter group by its name.
pub(crate) async fn parameter_group(
    session: &Session,
    region: &str,
    name: &str,
) -> Result<Option<ParameterGroup>, AwsError> {
    let form = Form::new("DescribeDBParameterGroups").set("DBParameterGroupName", name);
    let found = listed(session, region, form, ("DBParameterGroups", "DBParameterGroup"), ParameterGroup::read).await;
    Ok(unless_missing(found, "DBParameterGroupNotFound")?.and_then(|found| found.into_iter().next()))
}

/// What somebody has set in a parameter group, by name; `None` where there is no such group.
pub(crate) async fn parameters(
    session: &Session,
    region: &str,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    let form = Form::new("DescribeDBParameters").set("DBParameterGroupName", name).set("Source", "user");
    let pair = |told: &Element| Some((text(told, "ParameterName")?, told.text("ParameterValue")?.to_owned()));
    let found = listed(session, region, form, ("Parameters", "Parameter"), pair).await;
    Ok(unless_missing(found, "DBParameterGroupNotFound")?.map(|pairs| pairs.into_iter().flatten().collect()))
}

/// A setting in a parameter group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    /// `None`: PostgreSQL's own default.
    pub(crate) value: Option<String>,
    pub(crate) description: String,
    /// `user`, `system`, `engine-default`.
    pub(crate) source: String,
    /// Whether it takes a restart.
    pub(crate) is_static: bool,
    pub(crate) is_modifiable: bool,
    /// `0,1`, `100-1000`; empty: not told.
    pub(crate) allowed: String,
}

impl Setting {
    fn read(told: &Element) -> Self {
        let text = |path: &str| text(told, path).unwrap_or_default();
        Self {
            name: text("ParameterName"),
            value: told.text("ParameterValue").map(str::to_owned),
            description: text("Description"),
            source: text("Source"),
            is_static: text("ApplyType") == "static",
            is_modifiable: told.bool("IsModifiable").unwrap_or(true),
            allowed: text("AllowedValues"),
        }
    }
}

/// All settings of a parameter group, those that nobody set included.
pub(crate) async fn settings(session: &Session, region: &str, name: &str) -> Result<Vec<Setting>, AwsError> {
    let form = Form::new("DescribeDBParameters").set("DBParameterGroupName", name);
    listed(session, region, form, ("Parameters", "Parameter"), Setting::read).await
}

/// CreateDBParameterGroup.
pub(crate) async fn create_parameter_group(
    session: &Session,
    region: &str,
    name: &str,
    family: &str,
    description: &str,
    tags: &[(String, String)],
) -> Result<(), AwsError> {
    let form = Form::new("CreateDBParameterGroup")
        .set("DBParameterGroupName", name)
        .set("DBParameterGroupFamily", family)
        .set("Description", description)
        .list("Tags", "Tag", tags.iter().map(tag));
    asked_once(session, region, form).await.map(drop)
}

/// ModifyDBParameterGroup: names, values and whether each waits for a restart; at most 20.
pub(crate) async fn modify_parameters(
    session: &Session,
    region: &str,
    group: &str,
    parameters: &[(&str, &str, bool)],
) -> Result<(), AwsError> {
    let part = |(name, value, waits): &(&str, &str, bool)| parameter(name, *waits).set("ParameterValue", *value);
    let form = Form::new("ModifyDBParameterGroup").set("DBParameterGroupName", group);
    asked(session, region, form.list("Parameters", "Parameter", parameters.iter().map(part))).await.map(drop)
}

/// ResetDBParameterGroup of some: names, and whether each waits for a restart; at most 20.
pub(crate) async fn reset_parameters(
    session: &Session,
    region: &str,
    group: &str,
    parameters: &[(&str, bool)],
) -> Result<(), AwsError> {
    let form = Form::new("ResetDBParameterGroup").set("DBParameterGroupName", group).set("ResetAllParameters", false);
    let parts = parameters.iter().map(|(name, waits)| parameter(name, *waits));
    asked(session, region, form.list("Parameters", "Parameter", parts)).await.map(drop)
}

fn parameter(name: &str, waits: bool) -> Form {
    let method = if waits { "pending-reboot" } else { "immediate" };
    Form::part().set("ParameterName", name).set("ApplyMethod", method)
}

/// DeleteDBParameterGroup.
pub(crate) async fn delete_parameter_group(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    let form = Form::new("DeleteDBParameterGroup").set("DBParameterGroupName", name);
    unless_missing(asked(session, region, form).await, "DBParameterGroupNotFound").map(drop)
}
