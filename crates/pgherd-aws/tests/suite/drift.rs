//! Every field, changed by somebody else.

use std::time::Instant;

use pgherd_aws::kinds::{
    alarm, dashboard, instance, log_group, parameter_group, proxy, replica, role, secret, security_group, subnet_group,
    topic,
};
use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_emulate::wire::{Body, Fields, Form, Said};
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

/// A proxy, samples of the operating system, a dashboard, a topic, and a second region with a replica and its alarms.
const BESIDE: &str = r#"
    name                    = "orders"
    engine_version          = "16.13"
    instance_class          = "db.t3.micro"
    allocated_storage       = 20
    vpc_id                  = "vpc-default"
    subnet_ids              = ["subnet-a", "subnet-b", "subnet-c"]
    allowed_cidr_blocks     = ["10.0.0.0/16"]
    backup_retention_period = 7
    storage_encrypted       = true
    geo_redundant_backup    = true
    dr_region               = "eu-west-1"
    dr_read_replica         = true
    dr_vpc_id               = "vpc-default"
    dr_subnet_ids           = ["subnet-a", "subnet-b"]
    enable_logging          = true
    enable_proxy            = true
    monitoring_interval     = 60
    create_dashboard        = true
    alarm_targets           = ["ann@example.org", "arn:aws:sns:eu-west-1:123456789012:ops"]
    apply_immediately       = true
    parameters              = [{ name = "work_mem", value = "8MB" }, { name = "max_connections", value = "200" }]
    tags                    = { Owner = "ann" }
"#;

const THERE: &str = "eu-west-1";

/// What the first block has not: a proxy, roles, a dashboard, a topic, log groups, and everything in a second region.
#[tokio::test]
async fn drift_of_what_stands_beside_and_in_a_second_region_is_found_and_put_right() {
    let is_beside = |id: &Id| {
        let around = [proxy::NAME, role::NAME, dashboard::NAME, topic::NAME, log_group::NAME];
        // Of alarms that differ in their figures one stands for all.
        let is_there = id.name.starts_with(THERE) && (id.kind != alarm::NAME || id.name.ends_with("-replica-lag"));
        is_there || around.contains(&id.kind.as_str())
    };
    let untouched = suite::drift_is_found_of::<Whole>(BESIDE, is_beside).await;
    assert_eq!(untouched, UNTOUCHED_BESIDE, "there is no hand for these here");
}

/// What the two tests above leave out: what AWS decides, what nothing can change, what may be more, what there is none of, and what is not read.
#[tokio::test]
async fn what_is_left_out_of_drift_is_named() {
    let mut left = suite::left_out_of_drift::<Whole>(&block()).await;
    left.extend(suite::left_out_of_drift::<Whole>(BESIDE).await);
    left.sort();
    left.dedup();
    insta::assert_snapshot!(left.join("\n"));
}

/// Without the tag a thing is another block's.
const UNTOUCHED: &[&str] = &[
    "instance Tags.pgherd:block",
    "replica Tags.pgherd:block",
    "secret Tags.pgherd:block",
    "security_group Tags.pgherd:block",
];

/// The same of what stands beside.
const UNTOUCHED_BESIDE: &[&str] =
    &["replica Tags.pgherd:block", "role Tags.pgherd:block", "security_group Tags.pgherd:block"];

/// Where a thing is, and what it is called there.
fn place(id: &Id) -> (&'static str, &str) {
    match id.name.strip_prefix(THERE) {
        Some(name) => (THERE, name.trim_start_matches('/')),
        None => (REGION, id.name.as_str()),
    }
}

/// Changes a field as somebody else would.
pub fn tamper(world: &World, id: &Id, field: &str, seen: &Value) -> bool {
    let at = place(id);
    match id.kind.as_str() {
        instance::NAME | replica::NAME => server(world, at, field, seen),
        parameter_group::NAME => parameter(world, at, field, seen),
        secret::NAME => kept_secret(world, &id.name, field),
        alarm::NAME => watched(world, at, field, seen),
        subnet_group::NAME if field == "SubnetIds" => {
            let subnets = ["subnet-a", "subnet-b", "subnet-c"];
            let all = [1, 2, 3].map(|n| format!("SubnetIds.SubnetIdentifier.{n}"));
            let mut sent = vec![("DBSubnetGroupName", at.1)];
            sent.extend(all.iter().map(String::as_str).zip(subnets));
            world.tamper_in(at.0, "ModifyDBSubnetGroup", &sent);
            true
        }
        security_group::NAME => security(world, at, field),
        proxy::NAME => in_front(world, &id.name, field),
        role::NAME => trusted(world, &id.name, field, seen),
        topic::NAME if field == "Endpoints" => {
            let arn = format!("arn:aws:sns:{REGION}:123456789012:{}", id.name);
            let topic = ("TopicArn", arn.as_str());
            let eve =
                [topic, ("Protocol", "email"), ("Endpoint", "eve@example.org"), ("ReturnSubscriptionArn", "true")];
            let told = by_form(world, "sns", "Subscribe", &eve);
            // The last part of what is told stands in the mail.
            let token = told.split("</SubscriptionArn>").next().and_then(|told| told.rsplit(':').next());
            by_form(world, "sns", "ConfirmSubscription", &[topic, ("Token", token.expect("an ARN"))]);
            true
        }
        dashboard::NAME => {
            let empty = json!({ "DashboardName": id.name, "DashboardBody": r#"{"widgets":[]}"# });
            around(world, REGION, "monitoring", "PutDashboard", empty);
            true
        }
        _ => false,
    }
}

fn security(world: &World, (region, name): (&str, &str), field: &str) -> bool {
    let tag = foreign_tag(field);
    world.region_in(region, |region| {
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

/// A proxy that somebody changes.
fn in_front(world: &World, name: &str, field: &str) -> bool {
    let auth = |secret: &str, iam: &str, password: &str| {
        let of = |field: &str, value: &str| (format!("Auth.member.1.{field}"), value.to_owned());
        vec![of("SecretArn", secret), of("IAMAuth", iam), of("ClientPasswordAuthType", password)]
    };
    let one = |field: &str, value: &str| vec![(field.to_owned(), value.to_owned())];
    let secret = world.region(|region| region.proxies[name].set.auth[0].secret.clone());
    let (scram, other) =
        ("POSTGRES_SCRAM_SHA_256", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:other-abcdef");
    let (action, sent) = match field {
        "SecretArns" => ("ModifyDBProxy", auth(other, "DISABLED", scram)),
        "IAMAuth" => ("ModifyDBProxy", auth(&secret, "REQUIRED", scram)),
        "ClientPasswordAuthType" => ("ModifyDBProxy", auth(&secret, "DISABLED", "POSTGRES_MD5")),
        "VpcSecurityGroupIds" => {
            world.region(|region| region.around.add_group("sg-other", "vpc-default"));
            ("ModifyDBProxy", one("SecurityGroups.member.1", "sg-other"))
        }
        "RoleArn" => ("ModifyDBProxy", one(field, &another_role(world, "rds.amazonaws.com"))),
        "RequireTLS" => ("ModifyDBProxy", one(field, "false")),
        "IdleClientTimeout" => ("ModifyDBProxy", one(field, "60")),
        "DebugLogging" => ("ModifyDBProxy", one(field, "true")),
        "MaxConnectionsPercent" | "MaxIdleConnectionsPercent" => {
            let pool = world.region(|region| region.proxies[name].pool.clone());
            let (most, idle) = if field.contains("Idle") { (pool.max_percent, 3) } else { (50, pool.idle_percent) };
            let figure = |field: &str, figure: i64| one(&format!("ConnectionPoolConfig.{field}"), &figure.to_string());
            let both = [figure("MaxConnectionsPercent", most), figure("MaxIdleConnectionsPercent", idle)];
            ("ModifyDBProxyTargetGroup", [both.concat(), one("TargetGroupName", "default")].concat())
        }
        "Targets" => ("DeregisterDBProxyTargets", one("DBInstanceIdentifiers.member.1", "orders")),
        _ => return false,
    };
    let sent = sent.iter().map(|(field, value)| (field.as_str(), value.as_str()));
    world.tamper(action, &[("DBProxyName", name)].into_iter().chain(sent).collect::<Vec<_>>());
    true
}

/// A role that somebody changes.
fn trusted(world: &World, name: &str, field: &str, seen: &Value) -> bool {
    let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let (action, sent) = match field.split_once('.').unwrap_or((field, "")) {
        ("AssumeRolePolicyDocument", _) => ("UpdateAssumeRolePolicy", vec![("PolicyDocument", document)]),
        ("ManagedPolicyArns", _) => match seen.as_list().and_then(|held| held.first()?.as_text()) {
            Some(held) => ("DetachRolePolicy", vec![("PolicyArn", held)]),
            None => ("AttachRolePolicy", vec![("PolicyArn", "arn:aws:iam::aws:policy/AmazonRDSReadOnlyAccess")]),
        },
        ("Policies", policy) => ("PutRolePolicy", vec![("PolicyName", policy), ("PolicyDocument", document)]),
        ("Tags", _) => match foreign_tag(field) {
            Some(key) => ("TagRole", vec![("Tags.member.1.Key", key), ("Tags.member.1.Value", SOMEBODYS)]),
            None => return false,
        },
        _ => return false,
    };
    by_form(world, "iam", action, &[&[("RoleName", name)], sent.as_slice()].concat());
    true
}

/// A role of somebody else's that a service may take and that may do what pgherd's may.
fn another_role(world: &World, service: &str) -> String {
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" },
    ] });
    let all = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let name = format!("somebodys-{}", service.split('.').next().unwrap_or_default());
    let (trust, all) = (trust.to_string(), all.to_string());
    by_form(world, "iam", "CreateRole", &[("RoleName", &name), ("AssumeRolePolicyDocument", &trust)]);
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole";
    by_form(world, "iam", "AttachRolePolicy", &[("RoleName", &name), ("PolicyArn", policy)]);
    let inline = [("RoleName", name.as_str()), ("PolicyName", "all"), ("PolicyDocument", &all)];
    by_form(world, "iam", "PutRolePolicy", &inline);
    format!("arn:aws:iam::123456789012:role/{name}")
}

fn by_form(world: &World, service: &str, action: &str, sent: &[(&str, &str)]) -> String {
    let body = Body::Form(Form::of([("Action", action)].into_iter().chain(sent.iter().copied())));
    let said = world.emulator.with(|emulation| emulation.tamper(service, REGION, action, &body, Instant::now()));
    match said {
        Ok(Said::Xml(told)) => told.document(""),
        Ok(Said::Fields(told)) => told.to_string(),
        // One that is there already will do.
        Err(refusal) => {
            assert_eq!(refusal.code, "EntityAlreadyExists", "{action}");
            String::new()
        }
    }
}

/// The document of a secret with another value in it, or another tag.
fn kept_secret(world: &World, name: &str, field: &str) -> bool {
    let about = json!({ "SecretId": name });
    if let Some(key) = foreign_tag(field) {
        let tags = json!([{ "Key": key, "Value": SOMEBODYS }]);
        around(world, REGION, "secretsmanager", "TagResource", json!({ "SecretId": name, "Tags": tags }));
        return true;
    }
    if !["username", "dbname", "host", "port"].contains(&field) {
        return false;
    }
    let held = around(world, REGION, "secretsmanager", "GetSecretValue", about);
    let held = held["SecretString"].as_str().expect("text");
    let mut document: serde_json::Value = serde_json::from_str(held).expect("JSON");
    document[field] = if field == "port" { json!(6000) } else { json!(SOMEBODYS) };
    let token = format!("{field:0>32}");
    around(
        world,
        REGION,
        "secretsmanager",
        "PutSecretValue",
        json!({ "SecretId": name, "SecretString": document.to_string(), "ClientRequestToken": token }),
    );
    true
}

/// An alarm put again with one thing that differs.
fn watched(world: &World, (region, name): (&str, &str), field: &str, seen: &Value) -> bool {
    let told = around(world, region, "monitoring", "DescribeAlarms", json!({ "AlarmNames": [name] }));
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
    around(world, region, "monitoring", "PutMetricAlarm", alarm);
    true
}

/// Something done to a service around RDS, and what it answers.
fn around(world: &World, region: &str, service: &str, action: &str, sent: serde_json::Value) -> serde_json::Value {
    let body = Body::Fields(Fields::of(sent).expect("an object"));
    let said = world.emulator.with(|emulation| emulation.tamper(service, region, action, &body, Instant::now()));
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

fn server(world: &World, (region, name): (&str, &str), field: &str, seen: &Value) -> bool {
    if let Some(key) = foreign_tag(field) {
        let arn = world.region_in(region, |region| region.arn("db", name));
        world.tamper_in(
            region,
            "AddTagsToResource",
            &[("ResourceName", &arn), ("Tags.Tag.1.Key", key), ("Tags.Tag.1.Value", somebodys(key))],
        );
        return true;
    }
    let Some(sent) = changed(world, region, field, seen) else { return false };
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let about = [("DBInstanceIdentifier", name), ("ApplyImmediately", "true")];
    world.tamper_in(region, "ModifyDBInstance", &[&about[..], &sent].concat());
    true
}

/// Another value of a field, as ModifyDBInstance takes it; `None`: what is sent alone would be refused.
fn changed(world: &World, region: &str, field: &str, seen: &Value) -> Option<Vec<(String, String)>> {
    let of = |name: &str, value: &str| Some(vec![(name.to_owned(), value.to_owned())]);
    match field {
        "DBInstanceClass" => of(field, "db.r5.xlarge"),
        "VpcSecurityGroupIds" => {
            world.region_in(region, |region| region.around.add_group("sg-other", "vpc-default"));
            of("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-other")
        }
        "Port" => of("DBPortNumber", "6000"),
        "PreferredBackupWindow" => of(field, "07:00-08:00"),
        "PreferredMaintenanceWindow" => of(field, "wed:09:00-wed:10:00"),
        "Iops" => of(field, "17000"),
        "StorageThroughput" => of(field, "1100"),
        "MonitoringInterval" => of(field, "15"),
        "MonitoringRoleArn" => of(field, &another_role(world, "monitoring.rds.amazonaws.com")),
        "PerformanceInsightsRetentionPeriod" => of(field, "62"),
        "DBParameterGroupName" => of(field, "default.postgres16"),
        "EnableCloudwatchLogsExports" => of("CloudwatchLogsExportConfiguration.DisableLogTypes.member.1", "upgrade"),
        // Small storage takes no other kind that is known by its figures.
        "StorageType" if region == THERE => of(field, "gp2"),
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

fn parameter(world: &World, (region, group): (&str, &str), field: &str, seen: &Value) -> bool {
    let Some(name) = field.strip_prefix("Parameters.") else { return false };
    let Some(number) = seen.as_text().and_then(|text| text.parse::<i64>().ok()) else { return false };
    let other = if number == 1 { 0 } else { number + 1 }.to_string();
    world.tamper_in(
        region,
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
