//! Read replicas: `CreateDBInstanceReadReplica` and `PromoteReadReplica`.

use jiff::Timestamp;

use super::backed::Origin;
use super::instance::{Change, Effect, Instance, Monitoring, Settings};
use super::regions::{self, Regions};
use super::state::{Region, seconds};
use super::{Call, copied, create, show, tags, validate, versions};
use crate::wire::{Element, Form, Refusal};

/// At most so many replicas of one instance.
pub const MOST: usize = 15;

/// `CreateDBInstanceReadReplica`.
pub fn create(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = create::new_id(region, form.required("DBInstanceIdentifier")?)?;
    let source = source(region, form.required("SourceDBInstanceIdentifier")?)?;
    let primary = region.instances[&source].clone();
    may_be_followed(&primary, region.replicas(&source).len(), call)?;
    if form.text("DBParameterGroupName").is_some() {
        return Err(no_parameter_group());
    }
    let set = settings(region, &primary.set, form, call)?;
    let given = tags::sent(form)?;
    region.tags.insert(region.arn("db", &id), given);
    region.instances.get_mut(&source).into_iter().for_each(|source| is_copied(source, call));
    let origin = Origin::Server(primary.resource_id);
    Ok(create::made(region, id, set, Some(source), origin, call))
}

/// `CreateDBInstanceReadReplica` of an instance in another region, asked of the region the replica is to be in.
pub fn create_elsewhere(regions: &mut Regions, here: &str, form: &Form, call: &Call) -> Result<Element, Refusal> {
    const SOURCE: &str = "SourceDBInstanceIdentifier";
    let arn = form.required(SOURCE)?.to_owned();
    let (at, source) =
        regions::source(form, SOURCE, here).ok_or_else(|| Refusal::value(format!("{arn} is no ARN.")))?;
    regions::presigned(form, here, at, SOURCE)?;
    let origin = regions.get(at).ok_or_else(|| Refusal::no_instance(source))?;
    let primary = origin.instances.get(source).ok_or_else(|| Refusal::no_instance(source))?.clone();
    may_be_followed(&primary, origin.replicas(source).len(), call)?;
    let at = at.to_owned();
    let region = regions.get_mut(here).ok_or_else(|| Refusal::value(format!("There is no region {here}.")))?;
    if region.is_backed {
        return Err(Refusal::value(
            "The emulator has no read replica in another region where a PostgreSQL is behind each.",
        ));
    }
    let id = create::new_id(region, form.required("DBInstanceIdentifier")?)?;
    if form.text("DBParameterGroupName").is_some() {
        return Err(no_parameter_group());
    }
    let kms_key = copied::key(region, &primary, form.text("KmsKeyId"))?;
    // Nothing of the source's region means anything here.
    let there = Settings {
        subnet_group: "default".to_owned(),
        parameter_group: format!("default.postgres{}", primary.set.major()),
        kms_key,
        ..primary.set.clone()
    };
    let set = settings(region, &there, form, call)?;
    let given = tags::sent(form)?;
    region.tags.insert(region.arn("db", &id), given);
    let told = create::made(region, id, set, Some(arn.clone()), Origin::New, call);
    let source = regions.get_mut(&at).and_then(|origin| origin.instances.get_mut(arn.rsplit(':').next()?));
    source.into_iter().for_each(|source| is_copied(source, call));
    Ok(told)
}

/// While a replica is begun, nothing else is done to its source.
fn is_copied(source: &mut Instance, call: &Call) {
    source.goes_through("modifying", call.lasts(seconds(60)), vec![], call.now);
}

/// Whether an instance that has so many replicas can have one more now.
fn may_be_followed(primary: &Instance, replicas: usize, call: &Call) -> Result<(), Refusal> {
    let source = &primary.id;
    if primary.set.retention_days == 0 {
        return Err(Refusal::state(
            "Automated backups are not enabled for this database instance. To enable automated backups, use ModifyDBInstance to set the backup retention period to a non-zero value.",
        ));
    }
    if !primary.takes_changes(call.now) || primary.restorable_since.is_none() {
        return Err(Refusal::state(format!("Source database instance {source} is not in the available state.")));
    }
    if replicas >= MOST {
        return Err(Refusal::of("InstanceQuotaExceeded", format!("{source} has already {MOST} read replicas.")));
    }
    Ok(())
}

fn no_parameter_group() -> Refusal {
    Refusal::combination("A parameter group can't be specified for a read replica of this engine.")
}

/// Replicas whose source is of another major follow it, with its parameter group: RDS upgrades them along with it.
pub fn taken_along(region: &mut Region, now: Timestamp) {
    let behind: Vec<_> = region
        .instances
        .values()
        .filter_map(|replica| {
            let source = &region.instances.get(replica.source.as_ref()?)?.set;
            let is_behind = source.major() > replica.set.major() && replica.phases.is_empty();
            is_behind.then(|| (replica.id.clone(), source.version.clone(), source.parameter_group.clone()))
        })
        .collect();
    for (id, version, group) in behind {
        if let Some(replica) = region.instances.get_mut(&id) {
            let after = vec![Effect::Change(Change::Version(version, Some(group))), Effect::Boot];
            replica.goes_through("upgrading", seconds(600), after, now);
        }
    }
}

/// `PromoteReadReplica`.
pub fn promote(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = form.required("DBInstanceIdentifier")?.to_lowercase();
    let mut instance = region.instances.get(&id).ok_or_else(|| Refusal::no_instance(&id))?.clone();
    if instance.source.is_none() {
        return Err(Refusal::state(format!("DB Instance {id} is not a read replica.")));
    }
    if !instance.takes_changes(call.now) {
        return Err(Refusal::state(format!("DB Instance {id} is not in the available state.")));
    }
    // AWS turns backups on when nothing is said.
    let days = form.int("BackupRetentionPeriod")?.unwrap_or(1);
    validate::retention(days)?;
    if let Some(window) = form.text("PreferredBackupWindow").map(str::to_lowercase) {
        validate::windows(&window, &instance.set.maintenance_window)?;
        instance.set.backup_window = window;
    }
    instance.set.retention_days = days;
    instance.goes_through("modifying", call.lasts(seconds(120)), vec![Effect::Promoted, Effect::Boot], call.now);
    if days > 0 {
        instance.goes_through("backing-up", call.lasts(seconds(60)), vec![Effect::Backup], call.now);
    }
    let answer = Element::new("").with(show::instance(region, &instance, call.now));
    region.instances.insert(id, instance);
    Ok(answer)
}

/// The source, by its name or by its ARN here.
fn source(region: &Region, asked: &str) -> Result<String, Refusal> {
    let id = match asked.strip_prefix(&region.arn("db", "")) {
        Some(id) => id.to_owned(),
        None if asked.starts_with("arn:") => {
            return Err(Refusal::value(format!("{asked} is not the ARN of an instance.")));
        }
        None => asked.to_lowercase(),
    };
    region.instances.get(&id).map(|_| id.clone()).ok_or_else(|| Refusal::no_instance(&id))
}

/// A replica's settings. Storage, version, parameters and place are the source's; security groups, monitoring, exports of logs,
/// growth of storage, backups and protection are not: who does not say them gets the default.
fn settings(region: &Region, source: &Settings, form: &Form, call: &Call) -> Result<Settings, Refusal> {
    let class = form.text("DBInstanceClass").unwrap_or(&source.class).to_owned();
    versions::class(&class)?;
    let place = create::place_in(region, form, form.text("DBSubnetGroupName").unwrap_or(&source.subnet_group))?;
    let port = form.int("Port")?.unwrap_or(source.port);
    validate::port(port)?;
    let (insights, insights_mode) =
        validate::insights(region, form, None, "standard")?.unwrap_or_else(|| (None, "standard".to_owned()));
    let max_storage_gib = form.int("MaxAllocatedStorage")?;
    max_storage_gib.map_or(Ok(()), |max| super::storage::limit(max, source.storage_gib))?;
    Ok(Settings {
        class,
        multi_az: place.second_zone.is_some(),
        zone: place.zone,
        second_zone: place.second_zone,
        subnet_group: place.subnet_group,
        security_groups: place.security_groups,
        port,
        retention_days: 0,
        protection: form.bool("DeletionProtection")?.unwrap_or(false),
        copy_tags: form.bool("CopyTagsToSnapshot")?.unwrap_or(false),
        public: form.bool("PubliclyAccessible")?.unwrap_or(false),
        iam: form.bool("EnableIAMDatabaseAuthentication")?.unwrap_or(false),
        logs: validate::logs(form.list("EnableCloudwatchLogsExports", "member"))?,
        monitoring: validate::monitoring(form, &Monitoring::default(), call)?.unwrap_or_default(),
        auto_minor: form.bool("AutoMinorVersionUpgrade")?.unwrap_or(source.auto_minor),
        max_storage_gib,
        insights,
        insights_mode,
        ..source.clone()
    })
}
