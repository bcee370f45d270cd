//! Automated backups: the range of points in time of each instance, and what is kept of it after a delete that says so.

use jiff::Timestamp;

use super::instance::{Instance, Settings};
use super::snapshot::Copied;
use super::state::Region;
use super::{Listing, copied, paged, show};
use crate::wire::{Element, Form, Refusal};

/// Automated backups that outlive their instance.
#[derive(Debug, Clone)]
pub struct Retained {
    /// The instance, as it was when it was deleted.
    pub instance: Instance,
    /// The first and the last point in time.
    pub range: (Timestamp, Timestamp),
    /// The copy of the PostgreSQL that was behind it.
    pub copy: Option<Copied>,
}

/// Keeps what can be restored of an instance that goes, if there is anything.
pub fn retain(region: &mut Region, instance: &mut Instance, now: Timestamp) {
    if let Some(range) = show::restorable(instance, now) {
        let copy = Copied::of(region, instance);
        let kept = Retained { instance: instance.clone(), range, copy };
        region.retained.insert(instance.resource_id.clone(), kept);
    }
}

/// What can be restored of an instance, there or gone, by its `db-…` id: its settings and the range.
pub fn restorable(region: &Region, resource_id: &str, now: Timestamp) -> Option<(Settings, (Timestamp, Timestamp))> {
    if let Some(instance) = region.instances.values().find(|instance| instance.resource_id == resource_id) {
        return Some((instance.set.clone(), show::restorable(instance, now)?));
    }
    region.retained.get(resource_id).map(|kept| (kept.instance.set.clone(), kept.range))
}

/// `DescribeDBInstanceAutomatedBackups`.
pub fn describe(region: &Region, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    let id = form.text("DBInstanceIdentifier").map(str::to_lowercase);
    let resource = form.text("DbiResourceId");
    let is_asked = |instance: &Instance| {
        id.as_ref().is_none_or(|id| instance.id == *id) && resource.is_none_or(|id| instance.resource_id == id)
    };
    let active =
        region.instances.values().filter(|instance| is_asked(instance)).filter_map(|instance| {
            show::restorable(instance, now).map(|range| shown(region, instance, range, "active"))
        });
    let retained = region.retained.values().filter(|kept| is_asked(&kept.instance));
    let retained = retained.map(|kept| shown(region, &kept.instance, kept.range, "retained"));
    let copied = region.copied.iter().filter(|(_, copies)| is_asked(&copies.instance));
    let copied = copied.map(|(arn, copies)| copied::shown(region, arn, copies, now));
    paged(form, Listing { name: "DBInstanceAutomatedBackups", items: active.chain(retained).chain(copied).collect() })
}

/// `DeleteDBInstanceAutomatedBackup`: of an instance that is gone, or copies from another region that are made no more.
pub fn delete(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    if let Some(arn) = form.text("DBInstanceAutomatedBackupsArn") {
        return forget_copied(region, arn);
    }
    let resource = form.required("DbiResourceId")?;
    let kept = region.retained.remove(resource).ok_or_else(|| {
        Refusal::missing(
            "DBInstanceAutomatedBackupNotFound",
            format!("No retained automated backup of {resource} found."),
        )
    })?;
    region.forgotten.extend(kept.copy.as_ref().map(|copy| copy.name.clone()));
    Ok(Element::new("").with(shown(region, &kept.instance, kept.range, "deleting")))
}

fn forget_copied(region: &mut Region, arn: &str) -> Result<Element, Refusal> {
    let found = region.copied.iter().find(|(_, copies)| region.arn("auto-backup", &copies.id) == arn);
    match found.map(|(source, copies)| (source.clone(), copies.is_going_on)) {
        None => {
            let message = format!("No automated backup {arn} found.");
            Err(Refusal::missing("DBInstanceAutomatedBackupNotFound", message))
        }
        Some((_, true)) => {
            let message = format!("{arn} is still replicated.");
            Err(Refusal::of("InvalidDBInstanceAutomatedBackupState", message))
        }
        Some((source, false)) => {
            region.copied.remove(&source);
            Ok(Element::new(""))
        }
    }
}

fn shown(region: &Region, instance: &Instance, (earliest, latest): (Timestamp, Timestamp), status: &str) -> Element {
    let set = &instance.set;
    let window = Element::new("RestoreWindow").time("EarliestTime", earliest).time("LatestTime", latest);
    Element::new("DBInstanceAutomatedBackup")
        .put("DBInstanceArn", region.arn("db", &instance.id))
        .put("DBInstanceAutomatedBackupsArn", region.arn("auto-backup", &instance.resource_id))
        .put("DbiResourceId", &instance.resource_id)
        .put("DBInstanceIdentifier", &instance.id)
        .put("Region", &region.name)
        .with(window)
        .put("Status", status)
        .put("AllocatedStorage", set.storage_gib)
        .put("Port", set.port)
        .put("AvailabilityZone", &set.zone)
        .time("InstanceCreateTime", instance.created)
        .put("MasterUsername", &set.username)
        .put("Engine", "postgres")
        .put("EngineVersion", &set.version)
        .put("Encrypted", set.encrypted)
        .maybe("KmsKeyId", set.kms_key.as_ref().map(|key| show::key_arn(region, key)))
        .put("StorageType", &set.storage_type)
        .put("BackupRetentionPeriod", set.retention_days)
}
