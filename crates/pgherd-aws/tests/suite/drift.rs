//! Every field, changed by somebody else.

use std::time::Instant;

use pgherd_aws::kinds::{alarm, instance, parameter_group, replica, secret, security_group, subnet_group};
use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_emulate::wire::{Body, Fields, Said};
use pgherd_engine::suite;
use serde_json::json;

use crate::target::Whole;
use crate::world::{LARGE, REGION, World, with};

/// What somebody else writes.
const SOMEBODYS: &str = "somebodys";

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

/// Without the tag a thing is another block's. Kinds that this block does not want are held by `tests/moto`.
const UNTOUCHED: &[&str] = &[
    "instance Tags.pgherd:block",
    "replica Tags.pgherd:block",
    "secret Tags.pgherd:block",
    "security_group Tags.pgherd:block",
];

/// Changes a field as somebody else would.
pub fn tamper(world: &World, id: &Id, field: &str, seen: &Value) -> bool {
    match id.kind.as_str() {
        instance::NAME | replica::NAME => server(world, &id.name, field, seen),
        parameter_group::NAME => parameter(world, &id.name, field, seen),
        secret::NAME => kept_secret(world, &id.name, field),
        alarm::NAME => watched(world, &id.name, field, seen),
        subnet_group::NAME if field == "SubnetIds" => {
            let subnets = ["subnet-a", "subnet-b", "subnet-c"];
            let all = [1, 2, 3].map(|n| format!("SubnetIds.SubnetIdentifier.{n}"));
            let mut sent = vec![("DBSubnetGroupName", id.name.as_str())];
            sent.extend(all.iter().map(String::as_str).zip(subnets));
            world.tamper("ModifyDBSubnetGroup", &sent);
            true
        }
        security_group::NAME => security(world, &id.name, field),
        _ => false,
    }
}

fn security(world: &World, name: &str, field: &str) -> bool {
    let tag = foreign_tag(field);
    world.region(|region| {
        let group = region.around.security_groups.values_mut().find(|group| group.name == name).expect("the group");
        if field.starts_with("Rules.ingress") {
            group.rules.retain(|rule| rule.opens.is_egress);
        } else if let Some(key) = tag {
            group.tags.insert(key.to_owned(), SOMEBODYS.to_owned());
        } else {
            return false;
        }
        true
    })
}

/// The document of a secret with another value in it, or another tag.
fn kept_secret(world: &World, name: &str, field: &str) -> bool {
    let about = json!({ "SecretId": name });
    if let Some(key) = foreign_tag(field) {
        let tags = json!([{ "Key": key, "Value": SOMEBODYS }]);
        around(world, "secretsmanager", "TagResource", json!({ "SecretId": name, "Tags": tags }));
        return true;
    }
    if !["username", "dbname", "host", "port"].contains(&field) {
        return false;
    }
    let held = around(world, "secretsmanager", "GetSecretValue", about);
    let held = held["SecretString"].as_str().expect("text");
    let mut document: serde_json::Value = serde_json::from_str(held).expect("JSON");
    document[field] = if field == "port" { json!(6000) } else { json!(SOMEBODYS) };
    let token = format!("{field:0>32}");
    around(
        world,
        "secretsmanager",
        "PutSecretValue",
        json!({ "SecretId": name, "SecretString": document.to_string(), "ClientRequestToken": token }),
    );
    true
}

/// An alarm put again with one thing that differs.
fn watched(world: &World, name: &str, field: &str, seen: &Value) -> bool {
    let told = around(world, "monitoring", "DescribeAlarms", json!({ "AlarmNames": [name] }));
    let mut alarm = told["MetricAlarms"][0].clone();
    let (field, key) = field.split_once('.').unwrap_or((field, ""));
    alarm[field] = match (field, seen) {
        ("Dimensions", _) => json!([{ "Name": key, "Value": SOMEBODYS }]),
        ("AlarmActions", _) => json!(["arn:aws:sns:eu-central-1:123456789012:somebodys"]),
        ("Statistic", _) => json!("Maximum"),
        ("ComparisonOperator", _) => json!("GreaterThanOrEqualToThreshold"),
        ("TreatMissingData", _) => json!("ignore"),
        ("Period", _) => json!(60),
        ("ActionsEnabled", _) => json!(false),
        (_, Value::Int(number)) => json!(number + 1),
        (_, Value::Float(number)) => json!(number + 1.0),
        ("Namespace" | "MetricName" | "AlarmDescription", _) => json!(SOMEBODYS),
        _ => return false,
    };
    around(world, "monitoring", "PutMetricAlarm", alarm);
    true
}

/// Something done to a service around RDS, and what it answers.
fn around(world: &World, service: &str, action: &str, sent: serde_json::Value) -> serde_json::Value {
    let body = Body::Fields(Fields::of(sent).expect("an object"));
    let said = world.emulator.with(|emulation| emulation.tamper(service, REGION, action, &body, Instant::now()));
    match said.unwrap_or_else(|refusal| panic!("{action}: {refusal:?}")) {
        Said::Fields(told) => told,
        Said::Xml(told) => panic!("{action} answers in XML: {}", told.document("")),
    }
}

/// The key of a tag that somebody may change: with another block's tag a thing would be another block's.
fn foreign_tag(field: &str) -> Option<&str> {
    field.strip_prefix("Tags.").filter(|key| *key != "pgherd:block")
}

/// What somebody writes into a tag: of what a block says that which decides about the end of the database.
fn somebodys(key: &str) -> &'static str {
    if key == "pgherd:written" { "final_snapshot_identifier=somebodys" } else { SOMEBODYS }
}

fn server(world: &World, name: &str, field: &str, seen: &Value) -> bool {
    if let Some(key) = foreign_tag(field) {
        let arn = world.region(|region| region.arn("db", name));
        world.tamper(
            "AddTagsToResource",
            &[("ResourceName", &arn), ("Tags.Tag.1.Key", key), ("Tags.Tag.1.Value", somebodys(key))],
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
        "StorageType" => Some(vec![(field.to_owned(), "io1".to_owned()), ("Iops".to_owned(), "16000".to_owned())]),
        "DatabaseInsightsMode" => {
            let kept = ("PerformanceInsightsRetentionPeriod".to_owned(), "465".to_owned());
            Some(vec![(field.to_owned(), "advanced".to_owned()), kept])
        }
        "DBSubnetGroupName" => None,
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
