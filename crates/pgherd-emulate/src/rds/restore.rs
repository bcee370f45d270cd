//! New instances out of what was kept: `RestoreDBInstanceFromDBSnapshot` and `RestoreDBInstanceToPointInTime`.

use jiff::Timestamp;

use super::backed::Origin;
use super::instance::{Monitoring, Settings};
use super::snapshot::Copied;
use super::state::Region;
use super::storage::Storage;
use super::{Call, backups, copied, create, parameters, snapshot, storage, tags, validate, versions};
use crate::wire::{Element, Form, Refusal};

/// `RestoreDBInstanceFromDBSnapshot`.
pub fn from_snapshot(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = create::new_id(region, form.required("DBInstanceIdentifier")?)?;
    let asked = form.required("DBSnapshotIdentifier")?;
    let name = asked.strip_prefix(&region.arn("snapshot", "")).unwrap_or(asked).to_lowercase();
    let found = region.snapshots.get(&name).ok_or_else(|| snapshot::missing(&name))?;
    if !found.is_complete(call.now) {
        return Err(Refusal::of("InvalidDBSnapshotState", format!("The snapshot {name} is not available.")));
    }
    let (kept, origin) = (found.set.clone(), found.copy.as_ref().map_or(Origin::New, Copied::origin));
    restored(region, id, &kept, origin, form, call)
}

/// `RestoreDBInstanceToPointInTime`.
pub fn to_point_in_time(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = create::new_id(region, form.required("TargetDBInstanceIdentifier")?)?;
    if let Some(arn) = form.text("SourceDBInstanceAutomatedBackupsArn") {
        let (kept, range) = copied::restorable(region, arn, call.now)?;
        moment(region, form, range)?;
        return restored(region, id, &kept, Origin::New, form, call);
    }
    let source = source(region, form)?;
    let Some((kept, range)) = backups::restorable(region, &source, call.now) else {
        return Err(Refusal::of(
            "PointInTimeRestoreNotEnabled",
            format!("Point in time restore is not enabled for the DB instance {source}."),
        ));
    };
    moment(region, form, range)?;
    running(region, &source, call.now)?;
    let retained = region.retained.get(&source).map(|kept| kept.copy.as_ref().map_or(Origin::New, Copied::origin));
    restored(region, id, &kept, retained.unwrap_or(Origin::Server(source)), form, call)
}

/// Whether the moment that is asked for can be restored.
fn moment(region: &Region, form: &Form, (earliest, latest): (Timestamp, Timestamp)) -> Result<(), Refusal> {
    match (form.bool("UseLatestRestorableTime")?.unwrap_or(false), form.text("RestoreTime")) {
        (true, Some(_)) => {
            return Err(Refusal::combination("RestoreTime can't be specified when UseLatestRestorableTime is true."));
        }
        (false, None) => {
            return Err(Refusal::combination("Either RestoreTime or UseLatestRestorableTime must be specified."));
        }
        (true, None) => {}
        (false, Some(_)) if region.is_backed => {
            return Err(Refusal::combination(
                "The emulator keeps no log of the PostgreSQL behind an instance: restore with UseLatestRestorableTime, or start it with --no-postgres.",
            ));
        }
        (false, Some(time)) => {
            let time: Timestamp = time.parse().map_err(|_| Refusal::value("RestoreTime is not a time."))?;
            if time < earliest || time > latest {
                return Err(Refusal::value(format!(
                    "The specified instance cannot be restored to a time earlier than {earliest} or later than {latest}."
                )));
            }
        }
    }
    Ok(())
}

/// The data of an instance that is there is copied from its server, which must run for that.
fn running(region: &Region, source: &str, now: Timestamp) -> Result<(), Refusal> {
    let found = region.instances.values().find(|instance| instance.resource_id == source && instance.backed.is_some());
    match found.map(|instance| instance.status(now)) {
        Some(status @ ("stopping" | "stopped" | "starting")) => Err(Refusal::state(format!(
            "The emulator restores nothing of an instance that is {status}: start it first, or the emulator with --no-postgres."
        ))),
        _ => Ok(()),
    }
}

/// The `db-…` id of the source, which may be gone.
fn source(region: &Region, form: &Form) -> Result<String, Refusal> {
    if let Some(resource) = form.text("SourceDbiResourceId") {
        let is_there = region.instances.values().any(|instance| instance.resource_id == resource);
        let is_known = is_there || region.retained.contains_key(resource);
        return is_known.then(|| resource.to_owned()).ok_or_else(|| Refusal::no_instance(resource));
    }
    let name = form.required("SourceDBInstanceIdentifier")?.to_lowercase();
    let found = region.instances.get(&name).ok_or_else(|| Refusal::no_instance(&name))?;
    Ok(found.resource_id.clone())
}

fn restored(
    region: &mut Region,
    id: String,
    kept: &Settings,
    origin: Origin,
    form: &Form,
    call: &Call,
) -> Result<Element, Refusal> {
    // Only words are of another major: the PostgreSQL behind an instance stays what it is.
    let kept = &if region.is_backed { kept.clone() } else { lasting(kept, form, call.now)? };
    if let Some(key) = &kept.kms_key {
        validate::key(region, key)?;
    }
    let set = settings(region, kept, form)?;
    let given = tags::sent(form)?;
    region.tags.insert(region.arn("db", &id), given);
    Ok(create::made(region, id, set, None, origin, call))
}

/// What was kept of a major that standard support has ended for: without the extended one RDS takes it to the oldest that it still has.
fn lasting(kept: &Settings, form: &Form, now: Timestamp) -> Result<Settings, Refusal> {
    let is_extended = create::lifecycle(form)? == "open-source-rds-extended-support";
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let is_over = versions::standard_until(kept.major()).is_none_or(|last| last < today);
    let oldest = versions::offered()
        .find(|version| versions::standard_until(versions::major(version)).is_some_and(|last| today <= last));
    let version = oldest.filter(|_| is_over && !is_extended).unwrap_or_else(|| kept.version.clone());
    Ok(Settings { version, ..kept.clone() })
}

/// Storage is that which was kept unless more or another kind is asked for; figures of another kind are not taken along.
fn stored<'a>(kept: &'a Settings, form: &'a Form) -> Result<Storage<'a>, Refusal> {
    let kind = form.text("StorageType").unwrap_or(&kept.storage_type);
    let gib = form.int("AllocatedStorage")?.unwrap_or(kept.storage_gib);
    if gib < kept.storage_gib {
        return Err(Refusal::combination(format!(
            "Invalid storage size: {gib}. It can't be less than the {} GiB of what is restored.",
            kept.storage_gib
        )));
    }
    // What gp3 is given below 400 GiB was asked for by nobody.
    let has_figures = kept.storage_gib >= 400 || kind.starts_with("io");
    let was_asked = |figure: Option<i64>| figure.filter(|_| kind == kept.storage_type && has_figures);
    let stored = Storage {
        kind,
        gib,
        iops: form.int("Iops")?.or(was_asked(kept.iops)),
        throughput: form.int("StorageThroughput")?.or(was_asked(kept.throughput)),
    };
    stored.check()?;
    Ok(stored)
}

/// The data and the login are those that were kept; groups, place and switches are the defaults unless they are said again.
fn settings(region: &Region, kept: &Settings, form: &Form) -> Result<Settings, Refusal> {
    let class = form.text("DBInstanceClass").unwrap_or(&kept.class).to_owned();
    versions::class(&class)?;
    let major = kept.major();
    let group = form.text("DBParameterGroupName").map_or_else(|| format!("default.postgres{major}"), str::to_lowercase);
    let place = create::place(region, form)?;
    let port = form.int("Port")?.unwrap_or(kept.port);
    validate::port(port)?;
    let retention_days = form.int("BackupRetentionPeriod")?.unwrap_or(kept.retention_days);
    validate::retention(retention_days)?;
    let stored = stored(kept, form)?;
    let max_storage_gib = form.int("MaxAllocatedStorage")?;
    max_storage_gib.map_or(Ok(()), |max| storage::limit(max, stored.gib))?;
    let backup_window = form.text("PreferredBackupWindow").unwrap_or(&kept.backup_window).to_lowercase();
    validate::windows(&backup_window, &kept.maintenance_window)?;
    if form.text("DBName").is_some() {
        return Err(Refusal::combination(
            "DBName doesn't apply to the PostgreSQL engine when an instance is restored.",
        ));
    }
    let (iops, throughput) = stored.baseline();
    Ok(Settings {
        class,
        parameter_group: parameters::fitting(region, &group, major)?.name,
        option_group: create::option_group(form, major)?,
        multi_az: place.second_zone.is_some(),
        zone: place.zone,
        second_zone: place.second_zone,
        subnet_group: place.subnet_group,
        security_groups: place.security_groups,
        port,
        retention_days,
        backup_window,
        storage_gib: stored.gib,
        storage_type: stored.kind.to_owned(),
        iops,
        throughput,
        lifecycle: create::lifecycle(form)?,
        protection: form.bool("DeletionProtection")?.unwrap_or(false),
        copy_tags: form.bool("CopyTagsToSnapshot")?.unwrap_or(false),
        public: form.bool("PubliclyAccessible")?.unwrap_or(false),
        iam: form.bool("EnableIAMDatabaseAuthentication")?.unwrap_or(kept.iam),
        logs: validate::logs(form.list("EnableCloudwatchLogsExports", "member"))?,
        auto_minor: form.bool("AutoMinorVersionUpgrade")?.unwrap_or(true),
        monitoring: Monitoring::default(),
        insights: None,
        insights_mode: "standard".to_owned(),
        max_storage_gib,
        ..kept.clone()
    })
}
