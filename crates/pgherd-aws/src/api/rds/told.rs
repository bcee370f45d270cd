//! What RDS tells of an instance, in the names that CreateDBInstance has for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgherd_core::value::{Props, Value};

use super::SubnetGroup;
use crate::kinds::instance::{ADDRESS, ARN};
use crate::protocol::xml::Element;

/// An instance as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DbInstance {
    /// `DBInstanceIdentifier`.
    pub(crate) id: String,
    /// `DBInstanceArn`.
    pub(crate) arn: String,
    /// RDS's word for what it is doing.
    pub(crate) status: String,
    /// What it is set to. What is not told is absent.
    pub(crate) props: Props,
    /// What was accepted and does not hold yet (`PendingModifiedValues`).
    pub(crate) pending: Props,
    /// The group of settings that is attached.
    pub(crate) parameter_group: String,
    /// Whether the settings of that group are in force: `in-sync`, `applying`, `pending-reboot`.
    pub(crate) settings: String,
    /// Where it may be placed.
    pub(crate) subnet_group: Option<SubnetGroup>,
    /// Its zone, and that of its standby.
    pub(crate) zones: Vec<String>,
    /// What it is a replica of: a name, or an ARN of another region.
    pub(crate) source: Option<String>,
    /// What RDS says of how it follows that: `replicating`, `error`, `terminated`, …
    pub(crate) following: Option<String>,
    /// Its own replicas, likewise.
    pub(crate) replicas: Vec<String>,
    /// Aurora clusters that follow it.
    pub(crate) clusters: Vec<String>,
    /// The secret of RDS's own that its password stands in, where RDS manages it.
    pub(crate) own_secret: Option<String>,
    /// Until when its certificate is good.
    pub(crate) certificate_until: Option<Timestamp>,
    /// Copies of its automated backups that are made in other regions: their ARNs.
    pub(crate) copies: Vec<String>,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// How a field is written.
enum As {
    Text,
    Bool,
    Int,
}

/// Our name of a field, where DescribeDBInstances tells it, and how. `PendingModifiedValues` has them by the same names, those that
/// stand in a structure by ours.
const FIELDS: &[(&str, &str, As)] = &[
    ("Engine", "Engine", As::Text),
    ("EngineVersion", "EngineVersion", As::Text),
    ("EngineLifecycleSupport", "EngineLifecycleSupport", As::Text),
    ("AutoMinorVersionUpgrade", "AutoMinorVersionUpgrade", As::Bool),
    ("DBInstanceClass", "DBInstanceClass", As::Text),
    ("AllocatedStorage", "AllocatedStorage", As::Int),
    ("MaxAllocatedStorage", "MaxAllocatedStorage", As::Int),
    ("StorageType", "StorageType", As::Text),
    ("Iops", "Iops", As::Int),
    ("StorageThroughput", "StorageThroughput", As::Int),
    ("StorageEncrypted", "StorageEncrypted", As::Bool),
    ("KmsKeyId", "KmsKeyId", As::Text),
    ("MultiAZ", "MultiAZ", As::Bool),
    ("AvailabilityZone", "AvailabilityZone", As::Text),
    ("DBName", "DBName", As::Text),
    ("MasterUsername", "MasterUsername", As::Text),
    // Told with asterisks, and only while another one is on its way.
    ("MasterUserPassword", "MasterUserPassword", As::Text),
    ("DBSubnetGroupName", "DBSubnetGroup/DBSubnetGroupName", As::Text),
    ("PubliclyAccessible", "PubliclyAccessible", As::Bool),
    ("Port", "Endpoint/Port", As::Int),
    (ADDRESS, "Endpoint/Address", As::Text),
    (ARN, "DBInstanceArn", As::Text),
    ("DbiResourceId", "DbiResourceId", As::Text),
    ("BackupRetentionPeriod", "BackupRetentionPeriod", As::Int),
    ("PreferredBackupWindow", "PreferredBackupWindow", As::Text),
    ("PreferredMaintenanceWindow", "PreferredMaintenanceWindow", As::Text),
    ("DeletionProtection", "DeletionProtection", As::Bool),
    ("CopyTagsToSnapshot", "CopyTagsToSnapshot", As::Bool),
    ("EnableIAMDatabaseAuthentication", "IAMDatabaseAuthenticationEnabled", As::Bool),
    ("EnablePerformanceInsights", "PerformanceInsightsEnabled", As::Bool),
    ("DatabaseInsightsMode", "DatabaseInsightsMode", As::Text),
    ("PerformanceInsightsRetentionPeriod", "PerformanceInsightsRetentionPeriod", As::Int),
    ("PerformanceInsightsKMSKeyId", "PerformanceInsightsKMSKeyId", As::Text),
    ("MonitoringInterval", "MonitoringInterval", As::Int),
    ("MonitoringRoleArn", "MonitoringRoleArn", As::Text),
    ("DBParameterGroupName", "DBParameterGroups/DBParameterGroup/DBParameterGroupName", As::Text),
    ("OptionGroupName", "OptionGroupMemberships/OptionGroupMembership/OptionGroupName", As::Text),
    ("SourceDBInstanceIdentifier", "ReadReplicaSourceDBInstanceIdentifier", As::Text),
];

/// The logs that are exported.
pub(crate) const LOGS: &str = "EnableCloudwatchLogsExports";

impl DbInstance {
    /// Reads one.
    pub(super) fn read(told: &Element) -> Self {
        let text = |path: &str| text(told, path).unwrap_or_default();
        let texts = |list: &str, member: &'static str| told.list(list, member).map(|one| one.text.clone()).collect();
        let mut props: Props =
            FIELDS.iter().filter_map(|(name, path, how)| Some(((*name).to_owned(), value(told, path, how)?))).collect();
        let groups = told.list("VpcSecurityGroups", "VpcSecurityGroupMembership");
        let groups = groups.filter(|group| group.text("Status") != Some("removing"));
        let groups = groups.filter_map(|group| group.text("VpcSecurityGroupId").map(Value::text));
        props.insert("VpcSecurityGroupIds".to_owned(), Value::List(groups.collect()));
        let logs: Vec<String> = texts("EnabledCloudwatchLogsExports", "member");
        props.insert(LOGS.to_owned(), Value::List(logs.iter().map(Value::text).collect()));
        let zones = ["AvailabilityZone", "SecondaryAvailabilityZone"].map(|path| self::text(told, path));
        Self {
            id: text("DBInstanceIdentifier"),
            arn: text("DBInstanceArn"),
            status: text("DBInstanceStatus"),
            props,
            pending: pending(told, &logs),
            parameter_group: text("DBParameterGroups/DBParameterGroup/DBParameterGroupName"),
            settings: text("DBParameterGroups/DBParameterGroup/ParameterApplyStatus"),
            subnet_group: told.at("DBSubnetGroup").map(SubnetGroup::read),
            zones: zones.into_iter().flatten().collect(),
            source: self::text(told, "ReadReplicaSourceDBInstanceIdentifier"),
            following: told
                .list("StatusInfos", "DBInstanceStatusInfo")
                .find(|info| info.text("StatusType") == Some("read replication"))
                .and_then(|info| self::text(info, "Status")),
            replicas: texts("ReadReplicaDBInstanceIdentifiers", "ReadReplicaDBInstanceIdentifier"),
            clusters: texts("ReadReplicaDBClusterIdentifiers", "ReadReplicaDBClusterIdentifier"),
            own_secret: self::text(told, "MasterUserSecret/SecretArn"),
            certificate_until: told.time("CertificateDetails/ValidTill"),
            copies: copies(told),
            tags: tags(told),
        }
    }
}

fn copies(told: &Element) -> Vec<String> {
    let made = told.list("DBInstanceAutomatedBackupsReplications", "DBInstanceAutomatedBackupsReplication");
    made.filter_map(|one| text(one, "DBInstanceAutomatedBackupsArn")).collect()
}

/// All of it, what nobody here has heard of included: it may interrupt service when it is done.
fn pending(told: &Element, logs: &[String]) -> Props {
    let Some(pending) = told.at("PendingModifiedValues") else { return Props::new() };
    // What is empty, however deep, is nothing that waits.
    let said = pending.children.iter().filter(|child| !is_empty(child));
    said.map(|child| accepted(pending, child, logs)).collect()
}

fn is_empty(told: &Element) -> bool {
    told.text.is_empty() && told.children.iter().all(is_empty)
}

/// What was accepted, by our name of it where we have one.
fn accepted(pending: &Element, child: &Element, logs: &[String]) -> (String, Value) {
    if child.name == "PendingCloudwatchLogsExports" {
        return (LOGS.to_owned(), exports(child, logs));
    }
    let field = FIELDS.iter().find(|(name, path, _)| child.name == if path.contains('/') { *name } else { *path });
    let value = field.and_then(|(_, _, how)| value(pending, &child.name, how));
    let name = field.map_or(child.name.as_str(), |(name, _, _)| name);
    (name.to_owned(), value.unwrap_or_else(|| Value::text(&child.text)))
}

/// The logs that will be exported.
fn exports(changed: &Element, logs: &[String]) -> Value {
    let of = |list: &str| changed.list(list, "member").map(|log| log.text.clone()).collect::<BTreeSet<_>>();
    let (on, off) = (of("LogTypesToEnable"), of("LogTypesToDisable"));
    let kept = logs.iter().filter(|log| !off.contains(*log)).cloned();
    let all: BTreeSet<String> = kept.chain(on).collect();
    Value::List(all.into_iter().map(Value::Text).collect())
}

/// The `TagList` of an element.
pub(super) fn tags(told: &Element) -> BTreeMap<String, String> {
    let pair = |tag: &Element| Some((text(tag, "Key")?, tag.text("Value").unwrap_or_default().to_owned()));
    told.list("TagList", "Tag").filter_map(pair).collect()
}

/// A text that is there and not empty.
pub(super) fn text(told: &Element, path: &str) -> Option<String> {
    told.text(path).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn value(told: &Element, path: &str, how: &As) -> Option<Value> {
    match how {
        As::Text => text(told, path).map(Value::Text),
        As::Bool => told.bool(path).map(Value::Bool),
        As::Int => told.int(path).map(Value::Int),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pending: &str, expected: &[(&str, Value)]) {
        let told = format!("<DBInstance><PendingModifiedValues>{pending}</PendingModifiedValues></DBInstance>");
        let told = Element::parse(told.as_bytes()).expect("it is XML");
        let expected = expected.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(super::pending(&told, &["upgrade".to_owned()]), expected);
    }

    #[test]
    fn what_waits_is_told_by_our_names() {
        check(
            "<DBInstanceClass>db.r5.large</DBInstanceClass><IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled>\
             <Port>5433</Port>",
            &[
                ("DBInstanceClass", "db.r5.large".into()),
                ("EnableIAMDatabaseAuthentication", true.into()),
                ("Port", Value::Int(5433)),
            ],
        );
    }

    /// It may interrupt service all the same.
    #[test]
    fn what_nobody_has_heard_of_waits_too() {
        check(
            "<CACertificateIdentifier>rds-ca-rsa4096-g1</CACertificateIdentifier>\
             <ProcessorFeatures><ProcessorFeature><Name>coreCount</Name><Value>2</Value></ProcessorFeature></ProcessorFeatures>\
             <AFieldOfNextYear>on</AFieldOfNextYear>",
            &[
                ("AFieldOfNextYear", "on".into()),
                ("CACertificateIdentifier", "rds-ca-rsa4096-g1".into()),
                ("ProcessorFeatures", "".into()),
            ],
        );
    }

    #[test]
    fn what_is_empty_is_nothing() {
        check(
            "<ProcessorFeatures/><PendingCloudwatchLogsExports><LogTypesToEnable/></PendingCloudwatchLogsExports>",
            &[],
        );
    }

    #[test]
    fn exports_that_wait_are_those_there_will_be() {
        check(
            "<PendingCloudwatchLogsExports><LogTypesToEnable><member>postgresql</member></LogTypesToEnable>\
             <LogTypesToDisable><member>upgrade</member></LogTypesToDisable></PendingCloudwatchLogsExports>",
            &[(LOGS, Value::List(vec!["postgresql".into()]))],
        );
    }

    /// An Aurora cluster would become a database of its own as well.
    #[test]
    fn whatever_follows_it_is_a_replica() {
        let told = "<DBInstance><ReadReplicaDBInstanceIdentifiers>\
                    <ReadReplicaDBInstanceIdentifier>orders-r1</ReadReplicaDBInstanceIdentifier></ReadReplicaDBInstanceIdentifiers>\
                    <ReadReplicaDBClusterIdentifiers><ReadReplicaDBClusterIdentifier>aurora</ReadReplicaDBClusterIdentifier>\
                    </ReadReplicaDBClusterIdentifiers></DBInstance>";
        let seen = DbInstance::read(&Element::parse(told.as_bytes()).expect("it is XML"));
        assert_eq!((seen.replicas, seen.clusters), (vec!["orders-r1".to_owned()], vec!["aurora".to_owned()]));
    }
}
