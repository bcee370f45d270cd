//! What RDS offers: versions, classes, parameters, and how much of it an account may have.

use std::sync::Arc;

use super::told::text;
use super::{asked, listed};
use crate::memo::Memo;
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// What RDS offers everybody, as far as it was asked.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    versions: Memo<EngineVersion>,
    classes: Memo<Offer>,
    parameters: Memo<DefaultParameter>,
}

/// A version of PostgreSQL that can be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineVersion {
    /// `16.13`.
    pub(crate) version: String,
    /// The versions it can be upgraded to.
    pub(crate) targets: Vec<String>,
}

/// The versions of a family, such as `postgres16`.
pub(crate) async fn engine_versions(
    session: &Session,
    region: &str,
    family: &str,
) -> Result<Arc<[EngineVersion]>, AwsError> {
    let form = Form::new("DescribeDBEngineVersions").set("Engine", "postgres").set("DBParameterGroupFamily", family);
    let read = |told: &Element| EngineVersion {
        version: text(told, "EngineVersion").unwrap_or_default(),
        targets: told
            .list("ValidUpgradeTarget", "UpgradeTarget")
            .filter_map(|target| text(target, "EngineVersion"))
            .collect(),
    };
    let list = ("DBEngineVersions", "DBEngineVersion");
    session.shared.offered.versions.get(format!("{region} {family}"), listed(session, region, form, list, read)).await
}

/// A region of which another one takes replicas, and copies of backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceRegion {
    /// `eu-central-1`.
    pub(crate) name: String,
    /// Whether it takes copies of automated backups of it.
    pub(crate) copies_backups: bool,
}

/// Whether a region takes anything of another one, and what.
pub(crate) async fn source_regions(session: &Session, region: &str, of: &str) -> Result<Vec<SourceRegion>, AwsError> {
    let form = Form::new("DescribeSourceRegions").set("RegionName", of);
    let read = |told: &Element| SourceRegion {
        name: text(told, "RegionName").unwrap_or_default(),
        copies_backups: text(told, "SupportsDBInstanceAutomatedBackupsReplication").as_deref() == Some("true"),
    };
    listed(session, region, form, ("SourceRegions", "SourceRegion"), read).await
}

/// A class with one kind of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// `gp3`.
    pub(crate) storage: String,
    /// How much of it, GiB; `None` where that is not told.
    pub(crate) sizes_gib: Option<(i64, i64)>,
    /// The zones that have it.
    pub(crate) zones: Vec<String>,
}

/// How a class is offered with a version, once for each kind of storage.
pub(crate) async fn offers(
    session: &Session,
    region: &str,
    class: &str,
    version: Option<&str>,
) -> Result<Arc<[Offer]>, AwsError> {
    let form = Form::new("DescribeOrderableDBInstanceOptions")
        .set("Engine", "postgres")
        .set("EngineVersion", version)
        .set("DBInstanceClass", class)
        .set("Vpc", true);
    let read = |told: &Element| Offer {
        storage: text(told, "StorageType").unwrap_or_default(),
        sizes_gib: told.int("MinStorageSize").zip(told.int("MaxStorageSize")),
        zones: told.list("AvailabilityZones", "AvailabilityZone").filter_map(|zone| text(zone, "Name")).collect(),
    };
    let list = ("OrderableDBInstanceOptions", "OrderableDBInstanceOption");
    let key = format!("{region} {class} {}", version.unwrap_or_default());
    session.shared.offered.classes.get(key, listed(session, region, form, list, read)).await
}

/// What RDS knows of a parameter before anybody sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefaultParameter {
    /// `shared_buffers`.
    pub(crate) name: String,
    /// Its value, where it is no formula of PostgreSQL's own.
    pub(crate) value: Option<String>,
    /// The values it takes: `16-1073741823`, `0,1`, …
    pub(crate) allowed: Option<String>,
    /// Whether anybody may set it.
    pub(crate) is_modifiable: bool,
}

/// Every parameter of a family.
pub(crate) async fn defaults(
    session: &Session,
    region: &str,
    family: &str,
) -> Result<Arc<[DefaultParameter]>, AwsError> {
    session.shared.offered.parameters.get(format!("{region} {family}"), all_defaults(session, region, family)).await
}

async fn all_defaults(session: &Session, region: &str, family: &str) -> Result<Vec<DefaultParameter>, AwsError> {
    let read = |told: &Element| DefaultParameter {
        name: text(told, "ParameterName").unwrap_or_default(),
        value: text(told, "ParameterValue"),
        allowed: text(told, "AllowedValues"),
        is_modifiable: told.bool("IsModifiable").unwrap_or(true),
    };
    let form = Form::new("DescribeEngineDefaultParameters").set("DBParameterGroupFamily", family);
    let mut found = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let page = asked(session, region, form.clone().set("MaxRecords", super::PAGE).set("Marker", marker)).await?;
        found.extend(page.list("EngineDefaults/Parameters", "Parameter").map(read));
        marker = text(&page, "EngineDefaults/Marker");
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// How much of something an account may have in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quota {
    /// `DBInstances`.
    pub(crate) name: String,
    /// How much there is.
    pub(crate) used: i64,
    /// How much there may be.
    pub(crate) most: i64,
}

/// Every quota of the account in a region.
pub(crate) async fn quotas(session: &Session, region: &str) -> Result<Vec<Quota>, AwsError> {
    let told = asked(session, region, Form::new("DescribeAccountAttributes")).await?;
    let read = |quota: &Element| {
        Some(Quota { name: text(quota, "AccountQuotaName")?, used: quota.int("Used")?, most: quota.int("Max")? })
    };
    Ok(told.list("AccountQuotas", "AccountQuota").filter_map(read).collect())
}
