//! Every field, changed by somebody else.

use pgherd_aws::kinds::{instance, parameter_group, replica, security_group, subnet_group};
use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_engine::suite;

use crate::target::Whole;
use crate::world::{LARGE, World, with};

/// Restarts happen at once here, so that one field's repair does not wait while the next one drifts.
fn block() -> String {
    with(
        LARGE,
        &[
            ("apply_immediately", "true"),
            ("subnet_ids", "[\"subnet-a\", \"subnet-b\"]"),
            ("vpc_id", "\"vpc-default\""),
            ("create_security_group", "true"),
            ("allowed_cidr_blocks", "[\"10.0.0.0/16\"]"),
            ("read_replica_count", "1"),
        ],
    )
}

#[tokio::test]
async fn drift_of_every_field_is_found_and_put_right() {
    let untouched = suite::drift_is_found::<Whole>(&block()).await;
    assert_eq!(untouched, UNTOUCHED, "there is no hand for these here");
}

/// Fields of RDS that only a refusal or a foreign tag would come of; and the kinds around it, whose drift is held by `tests/moto`.
const UNTOUCHED: &[&str] = &[
    "alarm AlarmActions",
    "alarm AlarmDescription",
    "alarm ComparisonOperator",
    "alarm Dimensions",
    "alarm EvaluationPeriods",
    "alarm MetricName",
    "alarm Namespace",
    "alarm Period",
    "alarm Statistic",
    "alarm Threshold",
    "alarm TreatMissingData",
    "instance DBSubnetGroupName",
    "instance DatabaseInsightsMode",
    "instance StorageType",
    "instance Tags",
    "replica StorageType",
    "replica Tags",
    "secret Tags",
    "secret dbname",
    "secret host",
    "secret port",
    "secret username",
    "security_group Tags",
];

/// Changes a field as somebody else would.
pub fn tamper(world: &World, id: &Id, field: &str, seen: &Value) -> bool {
    match id.kind.as_str() {
        instance::NAME | replica::NAME => server(world, &id.name, field, seen),
        parameter_group::NAME => parameter(world, &id.name, field, seen),
        subnet_group::NAME if field == "SubnetIds" => {
            let subnets = ["subnet-a", "subnet-b", "subnet-c"];
            let all = [1, 2, 3].map(|n| format!("SubnetIds.SubnetIdentifier.{n}"));
            let mut sent = vec![("DBSubnetGroupName", id.name.as_str())];
            sent.extend(all.iter().map(String::as_str).zip(subnets));
            world.tamper("ModifyDBSubnetGroup", &sent);
            true
        }
        security_group::NAME if field.starts_with("Rules.ingress") => {
            world.region(|region| {
                let groups = region.around.security_groups.values_mut().filter(|group| group.name == id.name);
                groups.for_each(|group| group.rules.retain(|rule| rule.opens.is_egress));
            });
            true
        }
        _ => false,
    }
}

fn server(world: &World, name: &str, field: &str, seen: &Value) -> bool {
    if let Some(key) = field.strip_prefix("Tags.") {
        // With another block's tag it would be another block's.
        if key == "pgherd:block" {
            return false;
        }
        let arn = world.region(|region| region.arn("db", name));
        world.tamper(
            "AddTagsToResource",
            &[("ResourceName", &arn), ("Tags.Tag.1.Key", key), ("Tags.Tag.1.Value", "somebody's")],
        );
        return true;
    }
    let Some(sent) = changed(world, field, seen) else { return false };
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let about = [("DBInstanceIdentifier", name), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &[&about[..], &sent].concat());
    true
}

/// Another value of a field, as ModifyDBInstance takes it; `None`: what is sent alone would be refused.
fn changed(world: &World, field: &str, seen: &Value) -> Option<Vec<(String, String)>> {
    let of = |name: &str, value: &str| Some(vec![(name.to_owned(), value.to_owned())]);
    match field {
        "DBInstanceClass" => of(field, "db.r5.xlarge"),
        "VpcSecurityGroupIds" => {
            world.region(|region| region.around.add_group("sg-other", "vpc-default"));
            of("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-other")
        }
        "Port" => of("DBPortNumber", "6000"),
        "PreferredBackupWindow" => of(field, "07:00-08:00"),
        "PreferredMaintenanceWindow" => of(field, "wed:09:00-wed:10:00"),
        "Iops" => of(field, "17000"),
        "StorageThroughput" => of(field, "1100"),
        "MonitoringInterval" => of(field, "15"),
        "MonitoringRoleArn" => of(field, "arn:aws:iam::123456789012:role/other"),
        "PerformanceInsightsRetentionPeriod" => of(field, "62"),
        "DBParameterGroupName" => of(field, "default.postgres16"),
        "EnableCloudwatchLogsExports" => of("CloudwatchLogsExportConfiguration.DisableLogTypes.member.1", "upgrade"),
        "StorageType" | "DBSubnetGroupName" | "DatabaseInsightsMode" => None,
        _ => match seen {
            Value::Bool(on) => of(field, if *on { "false" } else { "true" }),
            Value::Int(number) => of(field, &(number + 1).to_string()),
            _ => None,
        },
    }
}

fn parameter(world: &World, group: &str, field: &str, seen: &Value) -> bool {
    let Some(name) = field.strip_prefix("Parameters.") else { return false };
    let Some(number) = seen.as_text().and_then(|text| text.parse::<i64>().ok()) else { return false };
    let other = if number == 1 { 0 } else { number + 1 }.to_string();
    world.tamper(
        "ModifyDBParameterGroup",
        &[
            ("DBParameterGroupName", group),
            ("Parameters.Parameter.1.ParameterName", name),
            ("Parameters.Parameter.1.ParameterValue", &other),
            ("Parameters.Parameter.1.ApplyMethod", "pending-reboot"),
        ],
    );
    true
}
