//! `DescribeOrderableDBInstanceOptions`: which class there is with which version and storage.
//!
//! Everything that the catalogue has is offered in every zone; that AWS offers less is a test's to say by a refusal.

use super::state::Region;
use super::{Listing, paged, versions};
use crate::wire::{Element, Form, Refusal};

/// Storage, from how many GiB to how many, and whether operations and throughput can be asked for.
const STORAGE: [(&str, i64, i64, bool, bool); 5] = [
    ("gp2", 20, 65_536, false, false),
    ("gp3", 20, 65_536, true, true),
    ("io1", 100, 65_536, true, false),
    ("io2", 100, 65_536, true, false),
    ("standard", 5, 3072, false, false),
];

/// `DescribeOrderableDBInstanceOptions`. Asked for a class only: the catalogue is not listed.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let is_postgres = form.required("Engine")? == "postgres";
    let class = form
        .text("DBInstanceClass")
        .ok_or_else(|| Refusal::value("The emulator tells the options of one DBInstanceClass at a time."))?;
    let asked = form.text("EngineVersion");
    let is_there = is_postgres && versions::class(class).is_ok();
    let found = versions::offered()
        .filter(|version| is_there && asked.is_none_or(|asked| version == asked))
        .flat_map(|version| STORAGE.map(|storage| option(region, class, &version, storage)));
    paged(form, Listing { name: "OrderableDBInstanceOptions", items: found.collect() })
}

fn option(region: &Region, class: &str, version: &str, storage: (&str, i64, i64, bool, bool)) -> Element {
    let (kind, least_gib, most_gib, takes_iops, takes_throughput) = storage;
    let zones =
        ["a", "b", "c"].map(|zone| Element::new("AvailabilityZone").put("Name", format_args!("{}{zone}", region.name)));
    Element::new("OrderableDBInstanceOption")
        .put("Engine", "postgres")
        .put("EngineVersion", version)
        .put("DBInstanceClass", class)
        .put("LicenseModel", "postgresql-license")
        .list("AvailabilityZones", zones)
        .put("MultiAZCapable", true)
        .put("ReadReplicaCapable", true)
        .put("Vpc", true)
        .put("SupportsStorageEncryption", true)
        .put("StorageType", kind)
        .put("MinStorageSize", least_gib)
        .put("MaxStorageSize", most_gib)
        .put("SupportsIops", takes_iops)
        .put("SupportsStorageThroughput", takes_throughput)
        .put("SupportsStorageAutoscaling", true)
        .put("SupportsEnhancedMonitoring", true)
        .put("SupportsIAMDatabaseAuthentication", true)
        .put("SupportsPerformanceInsights", true)
}
