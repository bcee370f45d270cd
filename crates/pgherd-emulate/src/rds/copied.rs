//! Automated backups that are copied to another region: `StartDBInstanceAutomatedBackupsReplication` and its end.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Call;
use super::instance::{Instance, Settings};
use super::regions::{self, Regions};
use super::state::Region;
use crate::wire::{Element, Form, Refusal};

/// At most so many instances are copied to a region.
const QUOTA: usize = 20;

/// Backups of one instance of another region.
#[derive(Debug, Clone)]
pub struct Copied {
    /// Its `ab-…` id.
    pub id: String,
    /// The instance, as it was when copying began.
    pub instance: Instance,
    /// Days that copies are kept.
    pub retention_days: i64,
    /// The ARN of the key here.
    pub kms_key: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Copies go on being made; otherwise those that were made stay until their time is over.
    pub is_going_on: bool,
}

/// What is copied, by the ARN of the instance.
pub type AllCopied = BTreeMap<String, Copied>;

/// `StartDBInstanceAutomatedBackupsReplication`, asked of the region that copies go to.
pub fn start(regions: &mut Regions, here: &str, form: &Form, call: &Call) -> Result<Element, Refusal> {
    const SOURCE: &str = "SourceDBInstanceArn";
    let arn = form.required(SOURCE)?.to_owned();
    let Some((at, id)) = regions::source(form, SOURCE, here) else {
        return Err(Refusal::value(format!("{arn} is not the ARN of an instance in another region.")));
    };
    regions::presigned(form, here, at, SOURCE)?;
    let source = regions.get(at).and_then(|region| region.instances.get(id)).cloned();
    let source = source.ok_or_else(|| Refusal::no_instance(id))?;
    if source.set.retention_days == 0 || source.restorable_since.is_none() {
        return Err(Refusal::state(format!("DB Instance {id} has no automated backups yet.")));
    }
    let days = form.int("BackupRetentionPeriod")?.unwrap_or(7);
    if !(1..=35).contains(&days) {
        return Err(Refusal::value(format!("Invalid backup retention period: {days}. Must be between 1 and 35.")));
    }
    let region = regions.get_mut(here).ok_or_else(|| Refusal::value(format!("There is no region {here}.")))?;
    let kms_key = key(region, &source, form.text("KmsKeyId"))?;
    if region.copied.get(&arn).is_some_and(|copies| copies.is_going_on) {
        let message = format!("Automated backups of {id} are replicated to {here} already.");
        return Err(Refusal::of("InvalidDBInstanceAutomatedBackupState", message));
    }
    if region.copied.values().filter(|copies| copies.is_going_on).count() >= QUOTA {
        let message = format!("Backups of {QUOTA} instances are replicated to {here} already.");
        return Err(Refusal::of("DBInstanceAutomatedBackupQuotaExceeded", message));
    }
    let id = format!("ab-{:017x}", region.number());
    let copies = Copied { id, instance: source, retention_days: days, kms_key, since: call.now, is_going_on: true };
    let answer = Element::new("").with(shown(region, &arn, &copies, call.now));
    region.copied.insert(arn, copies);
    Ok(answer)
}

/// `StopDBInstanceAutomatedBackupsReplication`: what was copied stays.
pub fn stop(regions: &mut Regions, here: &str, form: &Form) -> Result<Element, Refusal> {
    let arn = form.required("SourceDBInstanceArn")?.to_owned();
    let region = regions.get_mut(here);
    let copies = region.and_then(|region| region.copied.get_mut(&arn)).filter(|copies| copies.is_going_on);
    let Some(copies) = copies else {
        return Err(Refusal::no_instance(&arn));
    };
    copies.is_going_on = false;
    Ok(Element::new(""))
}

/// A copy as `DescribeDBInstanceAutomatedBackups` shows it.
pub fn shown(region: &Region, arn: &str, copies: &Copied, now: Timestamp) -> Element {
    let set = &copies.instance.set;
    let window = Element::new("RestoreWindow").time("EarliestTime", copies.since).time("LatestTime", now);
    Element::new("DBInstanceAutomatedBackup")
        .put("DBInstanceArn", arn)
        .put("DBInstanceAutomatedBackupsArn", region.arn("auto-backup", &copies.id))
        .put("DbiResourceId", &copies.instance.resource_id)
        .put("DBInstanceIdentifier", &copies.instance.id)
        .maybe("Region", regions::place(arn).map(|(region, _)| region))
        .with(window)
        .put("Status", if copies.is_going_on { "replicating" } else { "retained" })
        .put("AllocatedStorage", set.storage_gib)
        .put("MasterUsername", &set.username)
        .put("Engine", "postgres")
        .put("EngineVersion", &set.version)
        .put("Encrypted", set.encrypted)
        .maybe("KmsKeyId", copies.kms_key.as_ref())
        .put("BackupRetentionPeriod", copies.retention_days)
}

/// What copies of an ARN can be restored as, and when.
pub fn restorable(region: &Region, arn: &str, now: Timestamp) -> Result<(Settings, (Timestamp, Timestamp)), Refusal> {
    let found = region.copied.values().find(|copies| region.arn("auto-backup", &copies.id) == arn);
    let found = found.ok_or_else(|| {
        Refusal::missing("DBInstanceAutomatedBackupNotFound", format!("No automated backup {arn} found."))
    })?;
    let set = Settings { kms_key: found.kms_key.clone(), ..found.instance.set.clone() };
    Ok((set, (found.since, now)))
}

/// The key of a copy here: one of this region where the source is encrypted, none where it is not.
pub fn key(region: &Region, source: &Instance, asked: Option<&str>) -> Result<Option<String>, Refusal> {
    match (source.set.encrypted, asked) {
        (true, None) => Err(Refusal::combination(
            "A KMS key of this region is required to copy from an encrypted instance of another region.",
        )),
        (false, Some(_)) => {
            Err(Refusal::combination("There is no encrypted copy of an instance that is not encrypted."))
        }
        (false, None) => Ok(None),
        (true, Some(named)) => {
            let arn = region.keys.arn_of(named).filter(|_| region.keys.encrypts(named));
            let arn = arn.ok_or_else(|| {
                Refusal::of(
                    "KMSKeyNotAccessibleFault",
                    format!("The key {named} is not accessible in {}.", region.name),
                )
            })?;
            Ok(Some(arn))
        }
    }
}
