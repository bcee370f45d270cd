//! `CreateDBInstance`: what is asked for, checked and completed; and the phases of a new instance.

use std::collections::VecDeque;

use super::backed::{Backed, Given, Origin};
use super::instance::{Booted, Effect, Instance, Monitoring, Password, Settings};
use super::state::{Region, seconds};
use super::storage::{self, Storage};
use super::{Call, parameters, show, subnet, tags, validate, versions};
use crate::wire::{Element, Form, Refusal};

/// At most so many instances in a region.
pub const QUOTA: usize = 40;

/// `CreateDBInstance`.
pub fn create(region: &mut Region, form: &Form, call: &Call) -> Result<Element, Refusal> {
    let id = new_id(region, form.required("DBInstanceIdentifier")?)?;
    let set = settings(region, form, call)?;
    let given = tags::sent(form)?;
    region.tags.insert(region.arn("db", &id), given);
    Ok(made(region, id, set, None, Origin::New, call))
}

/// An identifier nobody has, with room for one more instance.
pub fn new_id(region: &Region, id: &str) -> Result<String, Refusal> {
    validate::identifier("DBInstanceIdentifier", id, 63)?;
    let id = id.to_lowercase();
    if region.instances.contains_key(&id) {
        return Err(Refusal::of("DBInstanceAlreadyExists", "DB instance already exists"));
    }
    if region.instances.len() >= QUOTA {
        return Err(Refusal::of("InstanceQuotaExceeded", format!("You have already {QUOTA} DB instances.")));
    }
    Ok(id)
}

/// A new instance with these settings, at the beginning of its phases; the answer that shows it.
pub fn made(
    region: &mut Region,
    id: String,
    set: Settings,
    source: Option<String>,
    origin: Origin,
    call: &Call,
) -> Element {
    let number = region.number();
    let statics = parameters::group(region, &set.parameter_group).map(|group| group.statics()).unwrap_or_default();
    let mut instance = Instance {
        gives_up: false,
        is_password_managed: false,
        replication_error: false,
        resource_id: format!("db-{number:026X}"),
        created: call.now,
        waiting: Vec::new(),
        waiting_since: call.now,
        phases: VecDeque::new(),
        optimizing_until: None,
        is_full: false,
        told: None,
        has_endpoint: false,
        stopped_since: None,
        restorable_since: None,
        booted: Booted { group: set.parameter_group.clone(), parameters: statics },
        source,
        is_gone: false,
        backed: region.is_backed.then(Backed::default),
        id: id.clone(),
        set,
    };
    instance.order(Given::Make(origin));
    begin(&mut instance, call);
    let answer = Element::new("").with(show::instance(region, &instance, call.now));
    region.instances.insert(id, instance);
    answer
}

/// What a new instance goes through. It is `available` in between, as on RDS, where whoever looks once is deceived.
fn begin(instance: &mut Instance, call: &Call) {
    let (now, set) = (call.now, instance.set.clone());
    let mut through = |word, lasts, then| instance.goes_through(word, call.lasts(seconds(lasts)), then, now);
    through("creating", if set.multi_az { 480 } else { 300 }, vec![Effect::Endpoint]);
    if set.retention_days > 0 {
        through("backing-up", 90, vec![Effect::Backup]);
    }
    if set.monitoring.interval_s > 0 {
        through("available", 15, vec![]);
        through("configuring-enhanced-monitoring", 30, vec![]);
    }
    if !set.logs.is_empty() {
        through("available", 15, vec![]);
        through("configuring-log-exports", 30, vec![]);
    }
    if set.iam {
        through("configuring-iam-database-auth", 30, vec![]);
    }
}

fn settings(region: &Region, form: &Form, call: &Call) -> Result<Settings, Refusal> {
    let engine = form.required("Engine")?;
    if engine != "postgres" {
        return Err(Refusal::value(format!("Invalid DB engine: {engine}. The emulator has postgres only.")));
    }
    let class = form.required("DBInstanceClass")?.to_owned();
    versions::class(&class)?;
    let version = versions::resolved(form.text("EngineVersion").unwrap_or(&versions::newest()))?;
    let major = versions::major(&version);
    let (username, password) = login(form)?;
    if let Some(name) = form.text("DBName") {
        validate::database(name)?;
    }
    let port = form.int("Port")?.unwrap_or(5432);
    validate::port(port)?;
    let retention_days = form.int("BackupRetentionPeriod")?.unwrap_or(1);
    validate::retention(retention_days)?;
    let backup_window = form.text("PreferredBackupWindow").unwrap_or("03:00-03:30").to_lowercase();
    let maintenance_window = form.text("PreferredMaintenanceWindow").unwrap_or("sun:05:00-sun:05:30").to_lowercase();
    validate::windows(&backup_window, &maintenance_window)?;
    let (encrypted, kms_key) = encryption(region, form)?;
    let parameter_group =
        form.text("DBParameterGroupName").map_or_else(|| format!("default.postgres{major}"), str::to_lowercase);
    parameters::fitting(region, &parameter_group, major)?;
    let place = place(region, form)?;
    let stored = stored(form)?;
    let monitoring = validate::monitoring(form, &Monitoring::default(), call)?.unwrap_or_default();
    let (insights, insights_mode) =
        validate::insights(region, form, None, "standard")?.unwrap_or_else(|| (None, "standard".to_owned()));
    Ok(Settings {
        class,
        version,
        storage_gib: stored.gib,
        max_storage_gib: stored.max_gib,
        storage_type: stored.kind,
        iops: stored.iops,
        throughput: stored.throughput,
        encrypted,
        kms_key,
        multi_az: place.second_zone.is_some(),
        zone: place.zone,
        second_zone: place.second_zone,
        db_name: form.text("DBName").filter(|name| *name != "postgres").map(str::to_owned),
        username,
        password,
        port,
        retention_days,
        backup_window,
        maintenance_window,
        protection: form.bool("DeletionProtection")?.unwrap_or(false),
        copy_tags: form.bool("CopyTagsToSnapshot")?.unwrap_or(false),
        public: form.bool("PubliclyAccessible")?.unwrap_or(place.subnet_group == "default"),
        iam: form.bool("EnableIAMDatabaseAuthentication")?.unwrap_or(false),
        logs: validate::logs(form.list("EnableCloudwatchLogsExports", "member"))?,
        monitoring,
        insights,
        insights_mode,
        security_groups: place.security_groups,
        subnet_group: place.subnet_group,
        parameter_group,
        option_group: option_group(form, major)?,
        auto_minor: form.bool("AutoMinorVersionUpgrade")?.unwrap_or(true),
        lifecycle: lifecycle(form)?,
    })
}

fn login(form: &Form) -> Result<(String, Password), Refusal> {
    if form.bool("ManageMasterUserPassword")?.unwrap_or(false) {
        return Err(match form.text("MasterUserPassword") {
            Some(_) => Refusal::combination(
                "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.",
            ),
            None => Refusal::value("The emulator has no ManageMasterUserPassword."),
        });
    }
    let (username, password) = (form.required("MasterUsername")?, form.required("MasterUserPassword")?);
    validate::username(username)?;
    validate::password(password)?;
    Ok((username.to_owned(), Password(password.to_owned())))
}

fn encryption(region: &Region, form: &Form) -> Result<(bool, Option<String>), Refusal> {
    let key = form.text("KmsKeyId");
    match (form.bool("StorageEncrypted")?, key) {
        (Some(false) | None, Some(_)) => {
            Err(Refusal::combination("You must specify StorageEncrypted as true when you specify a KmsKeyId."))
        }
        (Some(false) | None, None) => Ok((false, None)),
        (Some(true), key) => {
            let key = key.unwrap_or("alias/aws/rds");
            validate::key(region, key)?;
            Ok((true, Some(key.to_owned())))
        }
    }
}

/// Where an instance is.
pub struct Place {
    /// Its zone.
    pub zone: String,
    /// The standby's, if it has one.
    pub second_zone: Option<String>,
    /// Its subnet group.
    pub subnet_group: String,
    /// Its security groups.
    pub security_groups: Vec<String>,
}

/// Where a request wants an instance.
pub fn place(region: &Region, form: &Form) -> Result<Place, Refusal> {
    place_in(region, form, form.text("DBSubnetGroupName").unwrap_or("default"))
}

/// Where a request wants an instance in a subnet group.
pub fn place_in(region: &Region, form: &Form, group: &str) -> Result<Place, Refusal> {
    let group = subnet::existing(region, group)?;
    let zones = region.zones(&group.name);
    let asked = form.text("AvailabilityZone");
    let wants_standby = form.bool("MultiAZ")?.unwrap_or(false);
    if wants_standby && asked.is_some() {
        return Err(Refusal::combination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        ));
    }
    if let Some(zone) = asked.filter(|zone| !zones.iter().any(|one| one == zone)) {
        return Err(Refusal::of(
            "InvalidVPCNetworkStateFault",
            format!("The DB subnet group '{}' has no subnet in {zone}.", group.name),
        ));
    }
    let mut zones = zones.into_iter();
    let first = zones.next().ok_or_else(|| Refusal::of("InvalidSubnet", "The DB subnet group has no subnet."))?;
    let second = zones.next().filter(|_| wants_standby);
    let ids = form.list("VpcSecurityGroupIds", "VpcSecurityGroupId").unwrap_or_default();
    let ids = if ids.is_empty() { vec![default_security_group(&group.vpc, region)] } else { ids };
    Ok(Place {
        zone: asked.map_or(first, str::to_owned),
        second_zone: second,
        security_groups: validate::security_groups(region, &ids, &group.vpc)?,
        subnet_group: group.name,
    })
}

/// The default group of a VPC: each has one.
fn default_security_group<'a>(vpc: &str, region: &'a Region) -> &'a str {
    let mut groups = region.around.security_groups.iter();
    groups.find(|(_, group)| group.vpc == vpc && group.name == "default").map_or("", |(id, _)| id)
}

struct Stored {
    kind: String,
    gib: i64,
    max_gib: Option<i64>,
    iops: Option<i64>,
    throughput: Option<i64>,
}

fn stored(form: &Form) -> Result<Stored, Refusal> {
    let gib = form
        .int("AllocatedStorage")?
        .ok_or_else(|| Refusal::of("MissingParameter", "The request must contain the parameter AllocatedStorage."))?;
    let (iops, throughput) = (form.int("Iops")?, form.int("StorageThroughput")?);
    let kind = form.text("StorageType").unwrap_or(if iops.is_some() { "io1" } else { "gp3" });
    let asked = Storage { kind, gib, iops, throughput };
    asked.check()?;
    let max_gib = form.int("MaxAllocatedStorage")?;
    max_gib.map_or(Ok(()), |max| storage::limit(max, gib))?;
    let (iops, throughput) = asked.baseline();
    Ok(Stored { kind: kind.to_owned(), gib, max_gib, iops, throughput })
}

/// The option group: RDS for PostgreSQL has the default ones only.
pub fn option_group(form: &Form, major: u32) -> Result<String, Refusal> {
    let default = format!("default:postgres-{major}");
    match form.text("OptionGroupName") {
        Some(name) if name != default => {
            Err(Refusal::missing("OptionGroupNotFoundFault", format!("Specified OptionGroupName: {name} not found.")))
        }
        _ => Ok(default),
    }
}

/// Whether what has reached its end of standard support is supported for a price.
pub fn lifecycle(form: &Form) -> Result<String, Refusal> {
    let asked = form.text("EngineLifecycleSupport").unwrap_or("open-source-rds-extended-support");
    match asked {
        "open-source-rds-extended-support" | "open-source-rds-extended-support-disabled" => Ok(asked.to_owned()),
        other => Err(Refusal::value(format!("Invalid EngineLifecycleSupport: {other}"))),
    }
}
