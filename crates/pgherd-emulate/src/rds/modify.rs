//! `ModifyDBInstance`, `RebootDBInstance` and what stops and starts: which changes ride at once, which wait for the window, and
//! the phases they take.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::instance::{Change, Effect, Instance, Password, Settings};
use super::state::{Region, seconds};
use super::storage::{self, Storage};
use super::{Call, parameters, show, snapshot, subnet, validate, versions};
use crate::wire::{Element, Form, Refusal};

/// `ModifyDBInstance`.
pub fn modify(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    let mut instance = region.instances.get(&id).ok_or_else(|| Refusal::no_instance(&id))?.clone();
    let changes = changes(region, &instance, form, call)?;
    // Full storage takes nothing but more of it.
    let grows = |change: &Change| matches!(change, Change::Storage(gib) if *gib > instance.set.storage_gib);
    let is_relief = instance.status(call.now) == "storage-full" && changes.iter().any(grows);
    if !instance.takes_changes(call.now) && !is_relief {
        return Err(Refusal::state(format!(
            "Database instance is not in available state. Its status is {}.",
            instance.status(call.now)
        )));
    }
    let is_now = form.bool("ApplyImmediately")?.unwrap_or(false);
    accept(&mut instance, changes, is_now, call);
    let answer = Element::new("").with(show::instance(region, &instance, call.now));
    region.instances.insert(id, instance);
    Ok(answer)
}

/// `RebootDBInstance`.
pub fn reboot(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    let fails_over = form.bool("ForceFailover")?.unwrap_or(false);
    let instance = region.instances.get_mut(&id).ok_or_else(|| Refusal::no_instance(&id))?;
    // What does not start with its parameters may be tried again with others.
    let may_try_again = instance.status(call.now) == "incompatible-parameters";
    if !instance.takes_changes(call.now) && !may_try_again {
        return Err(Refusal::state(format!(
            "Instance {id} cannot be rebooted in state {}.",
            instance.status(call.now)
        )));
    }
    if fails_over && !instance.set.multi_az {
        return Err(Refusal::combination("You can't force failover if the instance is not configured for Multi-AZ."));
    }
    let after = if fails_over { vec![Effect::Failover, Effect::Boot] } else { vec![Effect::Boot] };
    instance.goes_through("rebooting", call.lasts(seconds(60)), after, call.now);
    let instance = region.instances[&id].clone();
    Ok(Element::new("").with(show::instance(region, &instance, call.now)))
}

/// `StopDBInstance`, after a snapshot where one is named. Nothing that follows or is followed is stopped.
pub fn stop(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    let mut instance = region.instances.get(&id).ok_or_else(|| Refusal::no_instance(&id))?.clone();
    if !instance.takes_changes(call.now) {
        return Err(Refusal::state(format!("Instance {id} is not in available state.")));
    }
    if instance.source.is_some() || !region.replicas(&id).is_empty() {
        return Err(Refusal::state(format!("Cannot stop {id}, because it is or has a read replica.")));
    }
    if let Some(snapshot) = form.text("DBSnapshotIdentifier").map(str::to_lowercase) {
        validate::identifier("DBSnapshotIdentifier", &snapshot, 255)?;
        snapshot::take(region, &snapshot, &mut instance, call)?;
    }
    instance.goes_through("stopping", call.lasts(seconds(120)), vec![Effect::Stopped], call.now);
    let answer = Element::new("").with(show::instance(region, &instance, call.now));
    region.instances.insert(id, instance);
    Ok(answer)
}

/// `StartDBInstance`.
pub fn start(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    let instance = region.instances.get_mut(&id).ok_or_else(|| Refusal::no_instance(&id))?;
    if instance.status(call.now) != "stopped" {
        return Err(Refusal::state(format!("Instance {id} is not in stopped state.")));
    }
    if let Some(key) = instance.set.kms_key.clone() {
        validate::key(region, &key)?;
    }
    let instance = region.instances.get_mut(&id).ok_or_else(|| Refusal::no_instance(&id))?;
    instance.starts(call.lasts(seconds(120)), call.now);
    let instance = region.instances[&id].clone();
    Ok(Element::new("").with(show::instance(region, &instance, call.now)))
}

/// Takes changes on. With `is_now` everything that waits is done with them, as AWS does and many are surprised by.
fn accept(instance: &mut Instance, changes: Vec<Change>, is_now: bool, call: &Call) {
    let (at_once, flagged): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| rides_at_once(change, instance));
    let mut now = at_once;
    if is_now {
        now.extend(merged(std::mem::take(&mut instance.waiting), flagged));
    } else if !flagged.is_empty() {
        instance.waiting = merged(std::mem::take(&mut instance.waiting), flagged);
        instance.waiting_since = call.now;
    }
    begin(instance, now, call.now, call.stretch);
}

/// Begins to do changes: what takes no time holds at once, the rest after its phases.
pub fn begin(instance: &mut Instance, changes: Vec<Change>, at: Timestamp, stretch: f64) {
    for change in changes {
        if is_held(&instance.set, &change) {
            continue;
        }
        let long = |length: SignedDuration| length.mul_f64(stretch);
        match takes(&change) {
            None => instance.changed(change, at),
            Some((word, length)) => {
                // For a moment a modified instance is still available: who looks at once sees nothing happen.
                if instance.phases.is_empty() {
                    instance.goes_through("available", long(seconds(5)), vec![], at);
                }
                let mut after = Vec::new();
                if !instance.gives_up {
                    after.push(Effect::Change(change.clone()));
                    after.extend(restarts(&change).then_some(Effect::Boot));
                }
                instance.goes_through(word, long(length), after, at);
            }
        }
    }
}

/// Whether a change is done whatever `ApplyImmediately` says.
fn rides_at_once(change: &Change, instance: &Instance) -> bool {
    match change {
        Change::Class(_)
        | Change::Iam(_)
        | Change::Id(_)
        | Change::Iops(_)
        | Change::MultiAz(_)
        | Change::OptionGroup(_)
        | Change::Storage(_)
        | Change::StorageType(_)
        | Change::SubnetGroup(_)
        | Change::Throughput(_)
        | Change::Version(..) => false,
        Change::Retention(days) => (*days > 0) == (instance.set.retention_days > 0),
        Change::AutoMinor(_)
        | Change::BackupWindow(_)
        | Change::CopyTags(_)
        | Change::Insights(..)
        | Change::Logs(_)
        | Change::MaintenanceWindow(_)
        | Change::MaxStorage(_)
        | Change::Monitoring(_)
        | Change::ParameterGroup(_)
        | Change::Password(_)
        | Change::Port(_)
        | Change::Protection(_)
        | Change::Public(_)
        | Change::SecurityGroups(_) => true,
    }
}

/// The status a change brings and for how long; `None`: it holds at once.
fn takes(change: &Change) -> Option<(&'static str, SignedDuration)> {
    match change {
        Change::Class(_) => Some(("modifying", seconds(300))),
        Change::MultiAz(_) => Some(("modifying", seconds(600))),
        Change::Storage(_) | Change::StorageType(_) | Change::Iops(_) | Change::Throughput(_) => {
            Some(("modifying", seconds(120)))
        }
        Change::Version(..) => Some(("upgrading", seconds(600))),
        Change::Retention(_) => Some(("modifying", seconds(60))),
        Change::SubnetGroup(_) => Some(("moving-to-vpc", seconds(300))),
        Change::Port(_) => Some(("rebooting", seconds(60))),
        Change::Id(_) => Some(("renaming", seconds(60))),
        Change::Iam(_) => Some(("configuring-iam-database-auth", seconds(30))),
        Change::Logs(_) => Some(("configuring-log-exports", seconds(30))),
        Change::Monitoring(_) => Some(("configuring-enhanced-monitoring", seconds(30))),
        Change::Password(_) => Some(("resetting-master-credentials", seconds(30))),
        Change::AutoMinor(_)
        | Change::BackupWindow(_)
        | Change::CopyTags(_)
        | Change::Insights(..)
        | Change::MaintenanceWindow(_)
        | Change::MaxStorage(_)
        | Change::OptionGroup(_)
        | Change::ParameterGroup(_)
        | Change::Protection(_)
        | Change::Public(_)
        | Change::SecurityGroups(_) => None,
    }
}

/// Whether the server is started anew, so that static parameters take effect as well.
fn restarts(change: &Change) -> bool {
    matches!(change, Change::Class(_) | Change::Version(..) | Change::Port(_) | Change::Id(_) | Change::SubnetGroup(_))
}

/// What waits, where a later word about the same thing counts.
fn merged(waiting: Vec<Change>, more: Vec<Change>) -> Vec<Change> {
    let is_said =
        |change: &Change| more.iter().any(|one| std::mem::discriminant(one) == std::mem::discriminant(change));
    let mut all: Vec<_> = waiting.into_iter().filter(|change| !is_said(change)).collect();
    all.extend(more);
    all
}

/// Whether a change changes nothing.
fn is_held(set: &Settings, change: &Change) -> bool {
    match change {
        Change::Class(class) => set.class == *class,
        Change::Iam(on) => set.iam == *on,
        Change::Iops(iops) => set.iops == Some(*iops),
        Change::Logs(logs) => set.logs == *logs,
        Change::Monitoring(monitoring) => set.monitoring == *monitoring,
        Change::MultiAz(zone) => set.multi_az == zone.is_some(),
        Change::Port(port) => set.port == *port,
        Change::Retention(days) => set.retention_days == *days,
        Change::Storage(gib) => set.storage_gib == *gib,
        Change::StorageType(kind) => set.storage_type == *kind,
        Change::SubnetGroup(group) => set.subnet_group == *group,
        Change::Throughput(mib_s) => set.throughput == Some(*mib_s),
        Change::Version(version, _) => set.version == *version,
        // These take no time, or are never known to be the same.
        Change::AutoMinor(_)
        | Change::BackupWindow(_)
        | Change::CopyTags(_)
        | Change::Id(_)
        | Change::Insights(..)
        | Change::MaintenanceWindow(_)
        | Change::MaxStorage(_)
        | Change::OptionGroup(_)
        | Change::ParameterGroup(_)
        | Change::Password(_)
        | Change::Protection(_)
        | Change::Public(_)
        | Change::SecurityGroups(_) => false,
    }
}

/// The changes a request asks for, all of which are possible.
fn changes(region: &Region, instance: &Instance, form: &Form, call: &Call) -> Result<Vec<Change>, Refusal> {
    let mut changes = plain(region, instance, form, call)?;
    changes.extend(server(region, instance, form)?);
    changes.extend(storage(instance, form, call.now)?);
    changes.extend(windows(instance, form)?);
    if changes.is_empty() {
        return Err(Refusal::combination("No modifications were requested"));
    }
    Ok(changes)
}

/// What is neither of the server, nor of its storage, nor of its windows.
fn plain(region: &Region, instance: &Instance, form: &Form, call: &Call) -> Result<Vec<Change>, Refusal> {
    let set = &instance.set;
    let mut changes = Vec::new();
    changes.extend(form.bool("AutoMinorVersionUpgrade")?.map(Change::AutoMinor));
    changes.extend(form.bool("CopyTagsToSnapshot")?.map(Change::CopyTags));
    changes.extend(form.bool("DeletionProtection")?.map(Change::Protection));
    changes.extend(form.bool("PubliclyAccessible")?.map(Change::Public));
    changes.extend(form.bool("EnableIAMDatabaseAuthentication")?.map(Change::Iam));
    changes.extend(validate::monitoring(form, &set.monitoring, call)?.map(Change::Monitoring));
    let insights = validate::insights(region, form, set.insights.as_ref(), &set.insights_mode)?;
    changes.extend(insights.map(|(insights, mode)| Change::Insights(insights, mode)));
    changes.extend(logs(set, form)?);
    if let Some(ids) = form.list("VpcSecurityGroupIds", "VpcSecurityGroupId").filter(|ids| !ids.is_empty()) {
        let vpc = subnet::group(region, &set.subnet_group).map(|group| group.vpc).unwrap_or_default();
        changes.push(Change::SecurityGroups(validate::security_groups(region, &ids, &vpc)?));
    }
    if let Some(password) = form.text("MasterUserPassword") {
        if instance.is_password_managed {
            return Err(Refusal::combination(
                "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.",
            ));
        }
        if instance.source.is_some() {
            return Err(Refusal::combination("The master user password of a read replica can't be changed."));
        }
        validate::password(password)?;
        changes.push(Change::Password(Password(password.to_owned())));
    }
    Ok(changes)
}

fn logs(set: &Settings, form: &Form) -> Result<Option<Change>, Refusal> {
    let list = |which: &str| form.list(&format!("CloudwatchLogsExportConfiguration.{which}"), "member");
    let (on, off) = (list("EnableLogTypes"), list("DisableLogTypes"));
    if on.is_none() && off.is_none() {
        return Ok(None);
    }
    let (on, off) = (validate::logs(on)?, validate::logs(off)?);
    let logs: BTreeSet<_> = set.logs.union(&on).filter(|kind| !off.contains(*kind)).cloned().collect();
    Ok(Some(Change::Logs(logs)))
}

/// What the server is: its class, version, name, port, place and parameters.
fn server(region: &Region, instance: &Instance, form: &Form) -> Result<Vec<Change>, Refusal> {
    let set = &instance.set;
    let mut changes = Vec::new();
    if let Some(class) = form.text("DBInstanceClass") {
        versions::class(class)?;
        changes.push(Change::Class(class.to_owned()));
    }
    changes.extend(version(region, instance, form)?);
    if form.text("OptionGroupName").is_some() {
        changes.push(Change::OptionGroup(super::create::option_group(form, set.major())?));
    }
    if let Some(port) = form.int("DBPortNumber")? {
        validate::port(port)?;
        changes.push(Change::Port(port));
    }
    if let Some(name) = form.text("DBSubnetGroupName") {
        changes.push(Change::SubnetGroup(other_network(region, instance, name)?));
    }
    if let Some(on) = form.bool("MultiAZ")? {
        let second = region.zones(&set.subnet_group).into_iter().find(|zone| *zone != set.zone);
        if on && second.is_none() {
            return Err(Refusal::of("InvalidVPCNetworkStateFault", "The DB subnet group covers one zone only."));
        }
        changes.push(Change::MultiAz(second.filter(|_| on)));
    }
    if let Some(id) = form.text("NewDBInstanceIdentifier") {
        changes.push(Change::Id(super::create::new_id(region, id)?));
    }
    if let Some(days) = form.int("BackupRetentionPeriod")? {
        validate::retention(days)?;
        if days == 0 && !region.replicas(&instance.id).is_empty() {
            return Err(Refusal::combination("Backups cannot be turned off on an instance that has read replicas."));
        }
        changes.push(Change::Retention(days));
    }
    Ok(changes)
}

/// A subnet group to move to, which is one of another network: within one RDS moves nobody.
fn other_network(region: &Region, instance: &Instance, name: &str) -> Result<String, Refusal> {
    let (to, from) = (subnet::existing(region, name)?, subnet::existing(region, &instance.set.subnet_group)?);
    if to.vpc == from.vpc && to.name != from.name {
        return Err(Refusal::of(
            "InvalidVPCNetworkStateFault",
            format!(
                "You cannot move DB instance {} to subnet group {}. The specified DB subnet group and DB instance are in the same VPC. Choose a subnet group in different VPC than the specified DB instance and try again.",
                instance.id, to.name
            ),
        ));
    }
    Ok(to.name)
}

/// The version and the parameter group, which go together when the major changes.
fn version(region: &Region, instance: &Instance, form: &Form) -> Result<Vec<Change>, Refusal> {
    let set = &instance.set;
    let version = match form.text("EngineVersion") {
        Some(asked) if asked != set.version => Some(versions::resolved(asked)?),
        same => same.map(str::to_owned),
    };
    let major = version.as_deref().map_or(set.major(), versions::major);
    let group = form.text("DBParameterGroupName").map(|group| parameters::fitting(region, group, major)).transpose()?;
    let group = group.map(|group| group.name);
    let Some(version) = version else { return Ok(group.map(Change::ParameterGroup).into_iter().collect()) };
    versions::upgrade(&set.version, &version, form.bool("AllowMajorVersionUpgrade")?.unwrap_or(false))?;
    if major != set.major() && instance.source.is_some() {
        return Err(Refusal::combination("You can't upgrade a read replica to another major version by itself."));
    }
    if major != set.major() && region.is_backed {
        return Err(Refusal::combination(
            "The emulator does not upgrade the PostgreSQL behind an instance to another major; start it with --no-postgres.",
        ));
    }
    if major != set.major() {
        let group = group.unwrap_or_else(|| format!("default.postgres{major}"));
        return Ok(vec![Change::Version(version, Some(group))]);
    }
    Ok([Change::Version(version, None)].into_iter().chain(group.map(Change::ParameterGroup)).collect())
}

fn storage(instance: &Instance, form: &Form, now: Timestamp) -> Result<Vec<Change>, Refusal> {
    let set = &instance.set;
    let (gib, kind) = (form.int("AllocatedStorage")?, form.text("StorageType"));
    let (iops, throughput) = (form.int("Iops")?, form.int("StorageThroughput")?);
    let mut changes = Vec::new();
    if let Some(gib) = gib.filter(|gib| *gib < set.storage_gib) {
        return Err(Refusal::combination(format!(
            "Invalid storage size: {gib}. Storage of {} GiB can't be made smaller.",
            set.storage_gib
        )));
    }
    // A step of less than a tenth is rounded up to one.
    let gib = gib.map(|gib| if gib == set.storage_gib { gib } else { gib.max((11 * set.storage_gib + 9) / 10) });
    let wanted = Storage {
        kind: kind.unwrap_or(&set.storage_type),
        gib: gib.unwrap_or(set.storage_gib),
        iops: iops.or(kept_iops(set, kind)),
        throughput: throughput.or_else(|| kept_throughput(set, kind)),
    };
    if gib.is_some() || kind.is_some() || iops.is_some() || throughput.is_some() {
        wanted.check()?;
        if gib.is_some_and(|gib| gib > set.storage_gib) && wanted.says_iops() && form.int("Iops")?.is_none() {
            return Err(Refusal::combination(format!(
                "You must specify Iops when you increase the allocated storage of storage type {}.",
                wanted.kind
            )));
        }
        let (iops, throughput) = wanted.baseline();
        changes.extend(gib.map(Change::Storage));
        changes.extend(kind.map(|kind| Change::StorageType(kind.to_owned())));
        changes.extend(iops.map(Change::Iops));
        changes.extend(throughput.map(Change::Throughput));
        let is_change = changes.iter().any(|change| !is_held(set, change));
        if is_change && instance.is_optimizing(now) {
            return Err(Refusal::combination(
                "You can't currently modify the storage of this DB instance because the previous storage change is being optimized.",
            ));
        }
    }
    if let Some(max) = form.int("MaxAllocatedStorage")? {
        // The size itself is how growth is turned off.
        let is_off = max == wanted.gib;
        if !is_off {
            storage::limit(max, wanted.gib)?;
        }
        changes.push(Change::MaxStorage((!is_off).then_some(max)));
    }
    Ok(changes)
}

/// What was asked for before still holds when the size changes; the baseline of small gp3 was never asked for.
fn kept_iops(set: &Settings, kind: Option<&str>) -> Option<i64> {
    let stays = kind.is_none_or(|kind| kind == set.storage_type);
    set.iops.filter(|iops| stays && !(set.storage_type == "gp3" && *iops <= 3000))
}

fn kept_throughput(set: &Settings, kind: Option<&str>) -> Option<i64> {
    let stays = kind.is_none_or(|kind| kind == set.storage_type);
    set.throughput.filter(|mib_s| stays && !(set.storage_type == "gp3" && *mib_s <= 125))
}

fn windows(instance: &Instance, form: &Form) -> Result<Vec<Change>, Refusal> {
    let lower = |name: &str| form.text(name).map(str::to_lowercase);
    let (backup, maintenance) = (lower("PreferredBackupWindow"), lower("PreferredMaintenanceWindow"));
    if backup.is_some() || maintenance.is_some() {
        validate::windows(
            backup.as_deref().unwrap_or(&instance.set.backup_window),
            maintenance.as_deref().unwrap_or(&instance.set.maintenance_window),
        )?;
    }
    Ok(backup.map(Change::BackupWindow).into_iter().chain(maintenance.map(Change::MaintenanceWindow)).collect())
}
