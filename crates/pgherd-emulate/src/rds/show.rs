//! An instance as answers show it, and `DescribeDBInstances`.

use jiff::{SignedDuration, Timestamp};

use super::instance::{Change, Instance, Settings};
use super::state::{ACCOUNT, Region};
use super::{Listing, paged, parameters, subnet, tags};
use crate::clock::later;
use crate::wire::{Element, Form, Refusal};

/// `DescribeDBInstances`.
pub fn describe(region: &Region, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    let id = form.text("DBInstanceIdentifier").map(str::to_lowercase);
    if let Some(id) = id.as_deref().filter(|id| !region.instances.contains_key(*id)) {
        return Err(Refusal::no_instance(id));
    }
    let filters = filters(form)?;
    let found = region.instances.values().filter(|instance| {
        id.as_ref().is_none_or(|id| instance.id == *id) && filters.iter().all(|filter| filter.holds(region, instance))
    });
    paged(form, Listing { name: "DBInstances", items: found.map(|one| self::instance(region, one, now)).collect() })
}

/// A certificate is good for a year, and another one comes when it ends.
fn certificate(instance: &Instance, now: Timestamp) -> Element {
    let year = SignedDuration::from_hours(365 * 24);
    let mut until = later(instance.created, year);
    while until < now {
        until = later(until, year);
    }
    Element::new("CertificateDetails").put("CAIdentifier", "rds-ca-rsa2048-g1").time("ValidTill", until)
}

struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    fn holds(&self, region: &Region, instance: &Instance) -> bool {
        let is = |found: &str| self.values.iter().any(|value| value.eq_ignore_ascii_case(found));
        match self.name.as_str() {
            "db-instance-id" => is(&instance.id) || is(&region.arn("db", &instance.id)),
            "dbi-resource-id" => is(&instance.resource_id),
            _ => is("postgres"),
        }
    }
}

fn filters(form: &Form) -> Result<Vec<Filter>, Refusal> {
    let filter = |sent: Form| {
        let name = sent.required("Name")?.to_owned();
        match name.as_str() {
            "db-instance-id" | "dbi-resource-id" | "engine" => {}
            other => return Err(Refusal::value(format!("Unrecognized filter name: {other}"))),
        }
        let values = sent.list("Values", "Value").unwrap_or_default();
        match values.is_empty() {
            true => Err(Refusal::value(format!("The filter {name} has no values."))),
            false => Ok(Filter { name, values: values.into_iter().map(str::to_owned).collect() }),
        }
    };
    form.structures("Filters", "Filter").into_iter().map(filter).collect()
}

/// An instance.
pub fn instance(region: &Region, instance: &Instance, now: Timestamp) -> Element {
    let set = &instance.set;
    let arn = region.arn("db", &instance.id);
    let element = Element::new("DBInstance")
        .put("DBInstanceIdentifier", &instance.id)
        .put("DBInstanceStatus", instance.status(now))
        .put("DBInstanceArn", &arn)
        .put("DbiResourceId", &instance.resource_id)
        .put("Engine", "postgres")
        .put("LicenseModel", "postgresql-license")
        .put("DbInstancePort", 0)
        .with(pending(instance))
        .maybe("ReadReplicaSourceDBInstanceIdentifier", instance.source.as_ref())
        .texts("ReadReplicaDBInstanceIdentifiers", "ReadReplicaDBInstanceIdentifier", region.replicas(&instance.id))
        .list("DBInstanceAutomatedBackupsReplications", copied(region, &instance.id))
        .list("StatusInfos", instance.source.iter().map(|_| replicating(instance)))
        .list("DBParameterGroups", [parameter_group(region, instance)])
        .list("TagList", tags::shown(region.tags.get(&arn).unwrap_or(&Default::default())))
        .list("DBSecurityGroups", []);
    let element = match instance.is_password_managed {
        true => element.with(
            Element::new("MasterUserSecret")
                .put(
                    "SecretArn",
                    format!("arn:aws:secretsmanager:{}:{ACCOUNT}:secret:rds!{}", region.name, instance.resource_id),
                )
                .put("SecretStatus", "active"),
        ),
        false => element,
    };
    let element = match subnet::group(region, &set.subnet_group) {
        Some(group) => element.with(subnet::shown(region, &group)),
        None => element,
    };
    let element = lived(element, instance, region, now);
    settings(watched(element, set, region, &instance.resource_id), set)
}

/// What is known only once it lives.
fn lived(element: Element, instance: &Instance, region: &Region, now: Timestamp) -> Element {
    if !instance.has_endpoint {
        return element;
    }
    let emulated = || {
        let hash = instance.resource_id[instance.resource_id.len() - 12..].to_lowercase();
        format!("{}.{hash}.{}.rds.emulated", instance.id, region.name)
    };
    let address = instance.backed.as_ref().and_then(|backed| backed.address.clone()).unwrap_or_else(emulated);
    let endpoint = Element::new("Endpoint")
        .put("Address", address)
        .put("Port", instance.set.port)
        .put("HostedZoneId", "Z2R2ITUGPM61AM");
    let element = element.with(endpoint).with(certificate(instance, now)).time("InstanceCreateTime", instance.created);
    match restorable(instance, now) {
        Some((_, latest)) => element.time("LatestRestorableTime", latest),
        None => element,
    }
}

/// The points in time that can be restored: log is kept every five minutes.
pub fn restorable(instance: &Instance, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let since = instance.restorable_since.filter(|_| instance.set.retention_days > 0)?;
    let kept = SignedDuration::from_hours(24 * instance.set.retention_days);
    let earliest = since.max(now.checked_sub(kept).unwrap_or(since));
    let latest = Timestamp::from_second(now.as_second().div_euclid(300) * 300).unwrap_or(now);
    Some((earliest, latest.max(earliest)))
}

fn settings(element: Element, set: &Settings) -> Element {
    element
        .put("DBInstanceClass", &set.class)
        .put("EngineVersion", &set.version)
        .put("MasterUsername", &set.username)
        .maybe("DBName", set.db_name.as_ref())
        .put("AllocatedStorage", set.storage_gib)
        .maybe("MaxAllocatedStorage", set.max_storage_gib)
        .put("StorageType", &set.storage_type)
        .maybe("Iops", set.iops)
        .maybe("StorageThroughput", set.throughput)
        .put("StorageEncrypted", set.encrypted)
        .put("AvailabilityZone", &set.zone)
        .put("MultiAZ", set.multi_az)
        .maybe("SecondaryAvailabilityZone", set.second_zone.as_ref().filter(|_| set.multi_az))
        .put("BackupRetentionPeriod", set.retention_days)
        .put("PreferredBackupWindow", &set.backup_window)
        .put("PreferredMaintenanceWindow", &set.maintenance_window)
        .put("DeletionProtection", set.protection)
        .put("CopyTagsToSnapshot", set.copy_tags)
        .put("PubliclyAccessible", set.public)
        .put("IAMDatabaseAuthenticationEnabled", set.iam)
        .put("AutoMinorVersionUpgrade", set.auto_minor)
        .put("EngineLifecycleSupport", &set.lifecycle)
        .put("CACertificateIdentifier", "rds-ca-rsa2048-g1")
        .put("NetworkType", "IPV4")
        .list(
            "OptionGroupMemberships",
            [member("OptionGroupMembership", "OptionGroupName", &set.option_group, "in-sync")],
        )
        .list(
            "VpcSecurityGroups",
            set.security_groups
                .iter()
                .map(|id| member("VpcSecurityGroupMembership", "VpcSecurityGroupId", id, "active")),
        )
}

fn watched(element: Element, set: &Settings, region: &Region, resource_id: &str) -> Element {
    let key = |id: &String| key_arn(region, id);
    let is_watched = set.monitoring.interval_s > 0;
    let stream = is_watched
        .then(|| format!("arn:aws:logs:{}:{ACCOUNT}:log-group:RDSOSMetrics:log-stream:{resource_id}", region.name));
    element
        .maybe("KmsKeyId", set.kms_key.as_ref().map(key))
        .put("MonitoringInterval", set.monitoring.interval_s)
        .maybe("MonitoringRoleArn", set.monitoring.role.as_ref())
        .maybe("EnhancedMonitoringResourceArn", stream)
        .put("DatabaseInsightsMode", &set.insights_mode)
        .put("PerformanceInsightsEnabled", set.insights.is_some())
        .maybe("PerformanceInsightsRetentionPeriod", set.insights.as_ref().map(|insights| insights.retention_days))
        .maybe("PerformanceInsightsKMSKeyId", set.insights.as_ref().map(|insights| key(&insights.kms_key)))
        .texts("EnabledCloudwatchLogsExports", "member", &set.logs)
}

/// Keys are always shown by ARN, however they were named.
pub fn key_arn(region: &Region, named: &str) -> String {
    match region.keys.arn_of(named) {
        Some(arn) => arn,
        // RDS would find out after minutes that there is no such key. Here it is believed.
        None if named.starts_with("arn:") => named.to_owned(),
        None => format!("arn:aws:kms:{}:{ACCOUNT}:key/{}", region.name, named.replace('/', "-")),
    }
}

fn parameter_group(region: &Region, instance: &Instance) -> Element {
    Element::new("DBParameterGroup")
        .put("DBParameterGroupName", &instance.set.parameter_group)
        .put("ParameterApplyStatus", parameters::apply_status(region, instance))
}

fn copied<'a>(region: &'a Region, id: &str) -> impl Iterator<Item = Element> + use<'a> {
    let arns = region.copied_elsewhere.get(id).into_iter().flatten();
    arns.map(|arn| Element::new("DBInstanceAutomatedBackupsReplication").put("DBInstanceAutomatedBackupsArn", arn))
}

fn replicating(instance: &Instance) -> Element {
    let word = match instance.replication_error {
        true => "error",
        false if instance.has_endpoint => "replicating",
        false => "connecting",
    };
    Element::new("DBInstanceStatusInfo")
        .put("StatusType", "read replication")
        .put("Normal", !instance.replication_error)
        .put("Status", word)
}

fn member(element: &'static str, name: &'static str, value: &str, status: &str) -> Element {
    Element::new(element).put(name, value).put("Status", status)
}

/// What was accepted and does not hold yet.
fn pending(instance: &Instance) -> Element {
    instance.pending().into_iter().fold(Element::new("PendingModifiedValues"), |pending, change| match change {
        Change::Class(class) => pending.put("DBInstanceClass", class),
        Change::Iam(on) => pending.put("IAMDatabaseAuthenticationEnabled", on),
        Change::Id(id) => pending.put("DBInstanceIdentifier", id),
        Change::Iops(iops) => pending.put("Iops", iops),
        Change::Logs(logs) => pending.with(pending_logs(&instance.set, logs)),
        Change::MultiAz(zone) => pending.put("MultiAZ", zone.is_some()),
        Change::Password(_) => pending.put("MasterUserPassword", "****"),
        Change::Port(port) => pending.put("Port", port),
        Change::Retention(days) => pending.put("BackupRetentionPeriod", days),
        Change::Storage(gib) => pending.put("AllocatedStorage", gib),
        Change::StorageType(kind) => pending.put("StorageType", kind),
        Change::SubnetGroup(group) => pending.put("DBSubnetGroupName", group),
        Change::Throughput(mib_s) => pending.put("StorageThroughput", mib_s),
        Change::Version(version, _) => pending.put("EngineVersion", version),
        // RDS's PendingModifiedValues has no place for these.
        Change::AutoMinor(_)
        | Change::BackupWindow(_)
        | Change::CopyTags(_)
        | Change::Insights(..)
        | Change::MaintenanceWindow(_)
        | Change::MaxStorage(_)
        | Change::Monitoring(_)
        | Change::OptionGroup(_)
        | Change::ParameterGroup(_)
        | Change::Protection(_)
        | Change::Public(_)
        | Change::SecurityGroups(_) => pending,
    })
}

fn pending_logs(set: &Settings, logs: &std::collections::BTreeSet<String>) -> Element {
    Element::new("PendingCloudwatchLogsExports").texts("LogTypesToEnable", "member", logs.difference(&set.logs)).texts(
        "LogTypesToDisable",
        "member",
        set.logs.difference(logs),
    )
}
