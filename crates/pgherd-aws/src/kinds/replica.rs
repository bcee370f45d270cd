//! Read replicas: instances that follow another one.
//!
//! RDS gives them next to nothing of their source (Amazon RDS User Guide, "Working with DB instance read replicas"): without its own
//! security groups one is in the network's default group. So everything that CreateDBInstanceReadReplica takes is said, but for the
//! zone: replicas are spread over those of the subnets when they are made.

use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::instance::{self, RESTART, another_server, backups, upgrade};
use super::{TAGS, fixed, listed, log_group, parameter_group, props, security_group, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "replica";

/// The kind: what an instance has, without what comes from its source. It holds nothing that the source does not.
///
/// `DBParameterGroupName` is never sent at creation, where RDS refuses it for PostgreSQL (botocore 1.43.11); in its source's region a
/// replica has its source's.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        fixed(
            "SourceDBInstanceIdentifier",
            "a replica follows one source: destroy it, and it is made anew of the other one",
        ),
        // Its source's when it is made; an upgrade of the source brings its own, before or with it.
        Field {
            name: "EngineVersion",
            owner: Owner::Floor,
            equality: Equality::Version,
            impact: ImpactRule::By(upgrade),
        },
        set("AutoMinorVersionUpgrade", Impact::None),
        // Of one in a second region: its key and place there, and backups of its own, which no call takes at creation.
        fixed("KmsKeyId", "a replica keeps its key: destroy it, and it is made anew with the other one"),
        fixed(
            "DBSubnetGroupName",
            "a replica stays in its subnet group: destroy it, and it is made anew in the other one",
        ),
        Field { impact: ImpactRule::By(backups), ..set("BackupRetentionPeriod", Impact::None) },
        // Its source's when it is made, and its own from then on.
        Field { equality: Equality::IgnoreCase, ..set("PreferredMaintenanceWindow", Impact::None) },
        Field { impact: ImpactRule::By(another_server), ..set("DBInstanceClass", RESTART) },
        // No less than the source's, which RDS sees to at creation and never again.
        Field { owner: Owner::Floor, ..set("AllocatedStorage", Impact::None) },
        set("MaxAllocatedStorage", Impact::None),
        set("StorageType", Impact::None),
        set("Iops", Impact::None),
        set("StorageThroughput", Impact::None),
        listed("VpcSecurityGroupIds", Impact::NewConnections),
        set("PubliclyAccessible", Impact::NewConnections),
        Field { impact: ImpactRule::AtOnce(RESTART), ..set("Port", RESTART) },
        // It would keep a smaller read_replica_count from being applied; the source's protects the data.
        set("DeletionProtection", Impact::None),
        set("CopyTagsToSnapshot", Impact::None),
        set("EnableIAMDatabaseAuthentication", Impact::None),
        set("EnablePerformanceInsights", Impact::None),
        set("PerformanceInsightsRetentionPeriod", Impact::None),
        fixed("PerformanceInsightsKMSKeyId", "destroy the replica, and it is made anew with the other key"),
        set("MonitoringInterval", Impact::None),
        set("MonitoringRoleArn", Impact::None),
        Field { equality: Equality::Unordered, ..set("EnableCloudwatchLogsExports", Impact::None) },
        instance::SETTINGS,
        TAGS,
    ],
};

/// The id of a replica of a spec, from 1.
pub fn id(spec: &Spec, number: u32) -> Id {
    Id::new(NAME, names::replica(&spec.name, number))
}

/// The replicas a spec wants.
pub fn wanted(spec: &Spec, region: &str) -> Vec<Resource> {
    (1..=spec.replicas).map(|number| of(spec, region, id(spec, number))).collect()
}

fn of(spec: &Spec, region: &str, id: Id) -> Resource {
    let mut props = props([
        ("SourceDBInstanceIdentifier", spec.name.as_str().into()),
        ("DeletionProtection", false.into()),
        ("DBParameterGroupName", parameter_group::name(spec).into()),
        ("PreferredMaintenanceWindow", spec.maintenance_window.to_string().into()),
    ]);
    props.extend(instance::common(spec, region));
    props.extend(spec.engine_version.map(|version| ("EngineVersion".to_owned(), version.to_string().into())));
    props.extend(security_group::members(spec).map(|groups| ("VpcSecurityGroupIds".to_owned(), groups)));
    let settings = parameter_group::wanted(spec).map(|group| group.id);
    let logs = log_group::of(spec, &id.name).into_iter().map(|group| group.id);
    let needs = std::iter::once(instance::id(spec)).chain(settings).chain(logs).collect();
    Resource { id, props, needs }
}

/// Whether a field is not sent with CreateDBInstanceReadReplica, but looked at once the replica is there: what the call does not take for
/// PostgreSQL, and the storage, which may be more than is wanted because the source's has grown.
pub fn is_set_after_creation(field: &str) -> bool {
    let of_call = matches!(
        field,
        "DBParameterGroupName" | "BackupRetentionPeriod" | "AllocatedStorage" | "PreferredMaintenanceWindow"
    );
    of_call || is_of_source(field)
}

/// Whether a new replica has a field from its source, whatever is said.
pub fn is_of_source(field: &str) -> bool {
    field == "EngineVersion"
}

/// The source a replica follows, as it is wanted.
pub fn source(resource: &Resource) -> Option<&str> {
    resource.props.get("SourceDBInstanceIdentifier").and_then(Value::as_text)
}
