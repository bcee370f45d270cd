//! The instance itself. Fields are named as CreateDBInstance names them, whatever the other calls call them.
//!
//! Impacts: the Amazon RDS User Guide's "Settings for DB instances" and botocore 1.43.11 (ModifyDBInstance, "Applied immediately" or not);
//! seconds of a failover from "Multi-AZ DB instance deployments"; those of a single instance's change of class are ours.

use pgherd_core::resource::{Differs, Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};
use pgherd_core::version::Version;

use super::{
    TAGS, fixed, int, listed, log_group, parameter_group, props, role, security_group, set, setting, subnet_group,
    tags, theirs,
};

/// Its name in an [`Id`].
pub const NAME: &str = "instance";

/// The field with the host that AWS assigns.
pub const ADDRESS: &str = "Endpoint.Address";

/// The field with the ARN that AWS assigns.
pub const ARN: &str = "DBInstanceArn";

/// The field with the password where one is written: sent at creation, and kept in the secret from then on.
pub const PASSWORD: &str = "MasterUserPassword";

/// A restart of an instance; RDS says "a momentary outage", the figure is ours.
pub(crate) const RESTART: Impact = Impact::Restart { about_s: 60 };
/// "Failover times are typically 60–120 seconds."
const FAILOVER: Impact = Impact::Failover { about_s: 120 };

const ENCRYPTION: &str = "encryption is decided at creation: take a snapshot, copy it with the key that is wanted, and restore \
                          that copy under a new name";
const DATABASE: &str = "create the other database with SQL; RDS keeps the name of the first one for good";
const USERNAME: &str = "create the other role with SQL, or make a new instance under a new name";
const INSIGHTS_KEY: &str = "the key of query analysis stays: make a new instance under a new name for another one";

/// Why another subnet group is not sent: RDS moves an instance to none of the same network (InvalidVPCNetworkStateFault).
pub(crate) const GROUP: &str = "RDS moves no instance to another subnet group of its network: take subnet_ids out again, or restore a backup under a new name there (pgherd restore --as)";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: true,
    outlives: false,
    fields: &[
        fixed("Engine", "make a new database under a new name"),
        Field {
            name: "EngineVersion",
            owner: Owner::Floor,
            equality: Equality::Version,
            impact: ImpactRule::By(upgrade),
        },
        // Where the block names no version: what it was made with, which is never drift afterwards.
        theirs("NewestEngineVersion"),
        set("AutoMinorVersionUpgrade", Impact::None),
        // The API's default enrols, and bills by the hour once standard support has ended.
        theirs("EngineLifecycleSupport"),
        Field { impact: ImpactRule::By(another_server), ..set("DBInstanceClass", RESTART) },
        Field { owner: Owner::Floor, ..set("AllocatedStorage", Impact::None) },
        set("MaxAllocatedStorage", Impact::None),
        set("StorageType", Impact::None),
        set("Iops", Impact::None),
        set("StorageThroughput", Impact::None),
        fixed("StorageEncrypted", ENCRYPTION),
        fixed("KmsKeyId", ENCRYPTION),
        // The standby is copied while the primary serves.
        set("MultiAZ", Impact::None),
        theirs("AvailabilityZone"),
        fixed("DBName", DATABASE),
        fixed("MasterUsername", USERNAME),
        theirs(PASSWORD),
        fixed("DBSubnetGroupName", GROUP),
        listed("VpcSecurityGroupIds", Impact::NewConnections),
        set("PubliclyAccessible", Impact::NewConnections),
        // "When you change this value, the DB instance is rebooted regardless of the value of ApplyImmediately."
        Field { impact: ImpactRule::AtOnce(RESTART), ..set("Port", RESTART) },
        Field { impact: ImpactRule::By(backups), ..set("BackupRetentionPeriod", Impact::None) },
        Field { equality: Equality::IgnoreCase, ..set("PreferredBackupWindow", Impact::None) },
        Field { equality: Equality::IgnoreCase, ..set("PreferredMaintenanceWindow", Impact::None) },
        set("DeletionProtection", Impact::None),
        set("CopyTagsToSnapshot", Impact::None),
        set("EnableIAMDatabaseAuthentication", Impact::None),
        set("EnablePerformanceInsights", Impact::None),
        set("DatabaseInsightsMode", Impact::None),
        set("PerformanceInsightsRetentionPeriod", Impact::None),
        fixed("PerformanceInsightsKMSKeyId", INSIGHTS_KEY),
        set("MonitoringInterval", Impact::None),
        set("MonitoringRoleArn", Impact::None),
        listed("EnableCloudwatchLogsExports", Impact::None),
        SETTINGS,
        Field { equality: Equality::IgnoreCase, ..set("OptionGroupName", Impact::None) },
        TAGS,
    ],
};

/// The group of settings: attached at once, in force after a restart that nobody else asks for. RDS tells names of groups in lower case.
pub(crate) const SETTINGS: Field = Field {
    equality: Equality::IgnoreCase,
    impact: ImpactRule::UntilRestart(RESTART),
    ..set("DBParameterGroupName", RESTART)
};

/// What a server of another class or place costs: the standby takes over where there is one.
pub(crate) fn another_server(differs: &Differs<'_>) -> Impact {
    if differs.seen.get("MultiAZ") == Some(&Value::Bool(true)) { FAILOVER } else { Impact::Restart { about_s: 300 } }
}

/// Both zones are down during an upgrade. How long a major one takes depends on what is in the database.
pub(crate) fn upgrade(differs: &Differs<'_>) -> Impact {
    let major = |value: &Value| Version::parse(value.as_text()?).map(|version| version.major);
    if major(differs.from).is_some() && major(differs.from) == major(differs.to) { RESTART } else { Impact::Unknown }
}

/// "An outage occurs if you change from 0 to a nonzero value or from a nonzero value to 0."
pub(crate) fn backups(differs: &Differs<'_>) -> Impact {
    let on = |value: &Value| value.as_int().is_some_and(|days| days > 0);
    if on(differs.from) == on(differs.to) { Impact::None } else { RESTART }
}

/// The id of a spec's instance.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, &spec.name)
}

/// The instance a spec wants.
pub fn wanted(spec: &Spec, region: &str) -> Resource {
    let mut props = props([
        ("Engine", "postgres".into()),
        ("EngineLifecycleSupport", "open-source-rds-extended-support-disabled".into()),
        ("StorageEncrypted", spec.encryption.storage.into()),
        ("MultiAZ", spec.multi_az.into()),
        ("DBName", spec.database_name.as_str().into()),
        ("MasterUsername", spec.master_username.as_str().into()),
        ("BackupRetentionPeriod", int(spec.backup.retention_days)),
        ("PreferredBackupWindow", spec.backup.window.to_string().into()),
        ("PreferredMaintenanceWindow", spec.maintenance_window.to_string().into()),
        ("DeletionProtection", spec.deletion_protection.into()),
        ("DBParameterGroupName", parameter_group::name(spec).into()),
    ]);
    props.extend(version(spec));
    props.extend(common(spec, region));
    let optional = [
        ("KmsKeyId", setting(&spec.encryption.kms_key_id)),
        ("AvailabilityZone", setting(&spec.place.zone)),
        ("DBSubnetGroupName", subnet_group::name(spec).map(Value::Text)),
        ("VpcSecurityGroupIds", security_group::members(spec)),
        ("OptionGroupName", spec.option_group_name.clone().map(Value::Text)),
        (PASSWORD, spec.master_password.known().map(|password| Value::Secret(password.clone()))),
        // Left out on replicas, some of which refuse it.
        ("DatabaseInsightsMode", spec.monitoring.insights.then(|| "standard".into())),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let mut resource = Resource { id: id(spec), props, needs: needs(spec) };
    tags::written(spec).into_iter().for_each(|(key, words)| tags::wear(&mut resource, &key, &words));
    resource
}

/// What an instance and its replicas have alike.
pub(crate) fn common(spec: &Spec, region: &str) -> Props {
    let monitoring = &spec.monitoring;
    let mut props = props([
        ("AutoMinorVersionUpgrade", true.into()),
        ("DBInstanceClass", spec.size.name.as_str().into()),
        ("AllocatedStorage", int(spec.storage.allocated_gib)),
        ("MaxAllocatedStorage", Value::from(spec.storage.max_gib.map(int))),
        ("StorageType", Value::from(spec.storage.kind.clone())),
        ("Iops", Value::from(spec.storage.iops.map(int))),
        ("StorageThroughput", Value::from(spec.storage.throughput_mibps.map(int))),
        ("PubliclyAccessible", spec.network.publicly_accessible.into()),
        ("Port", Value::Int(security_group::port(spec).into())),
        ("CopyTagsToSnapshot", spec.backup.copy_tags.into()),
        ("EnableIAMDatabaseAuthentication", spec.iam_authentication.into()),
        ("EnablePerformanceInsights", monitoring.insights.into()),
        ("MonitoringInterval", int(monitoring.interval_s)),
        (
            "EnableCloudwatchLogsExports",
            Value::List(log_group::exports(spec).iter().map(|log| log.as_str().into()).collect()),
        ),
        ("Tags", tags::wanted(spec)),
    ]);
    if monitoring.insights {
        props.insert("PerformanceInsightsRetentionPeriod".to_owned(), int(monitoring.insights_retention_days));
        let key = setting(&monitoring.insights_kms_key_id);
        props.extend(key.map(|key| ("PerformanceInsightsKMSKeyId".to_owned(), key)));
    }
    props.extend(role::monitoring_arn(spec, region).map(|role| ("MonitoringRoleArn".to_owned(), role)));
    props
}

fn version(spec: &Spec) -> Option<(String, Value)> {
    let written = spec.engine_version.map(|version| ("EngineVersion".to_owned(), version.to_string().into()));
    written.or_else(|| spec.newest_major.map(|major| ("NewestEngineVersion".to_owned(), major.to_string().into())))
}

/// What is called by a name we chose, so that no output says that it is needed.
fn needs(spec: &Spec) -> Vec<Id> {
    let subnets = subnet_group::wanted(spec).map(|group| group.id);
    let settings = parameter_group::wanted(spec).map(|group| group.id);
    let logs = log_group::of(spec, &spec.name).into_iter().map(|group| group.id);
    subnets.into_iter().chain(settings).chain(logs).collect()
}
