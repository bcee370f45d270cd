//! Each variable of what stands around an instance, written otherwise: something changes, and then nothing. And that no variable was
//! forgotten, here or in `flipped.rs`.

use std::collections::BTreeSet;

use pgherd_core::variables;
use pgherd_engine::suite;

use crate::target::Whole;
use crate::world::{WHOLE, with};

/// Applies the whole block, then the same with an argument written otherwise, and checks what that is about, a line a step.
async fn check(more: &[(&str, &str)], expected: &[&str]) {
    suite::changes_of_kinds::<Whole>(WHOLE, &with(WHOLE, more), expected).await;
}

#[tokio::test]
async fn who_may_come_in() {
    check(&[("allowed_cidr_blocks", "[\"10.1.0.0/16\"]")], &["update security_group orders-db"]).await;
    check(&[("allowed_security_group_ids", "[\"sg-default\"]")], &["update security_group orders-db"]).await;
    let rule = "[{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.9.0.0/16\"] }]";
    check(&[("security_group_rules", rule)], &["update security_group orders-db"]).await;
}

#[tokio::test]
async fn a_group_of_somebody_else() {
    let theirs = [("create_security_group", "false"), ("security_group_ids", "[\"sg-default\"]")];
    let expected = ["delete security_group orders-db", "update instance orders", "update replica orders-r1"];
    check(&theirs, &expected).await;
}

#[tokio::test]
async fn who_is_told() {
    let topic = "[\"arn:aws:sns:eu-central-1:123456789012:theirs\"]";
    let alarms = ["burst-credits", "connections", "cpu", "read-latency", "storage"];
    let of = |server: &str| alarms.map(|about| format!("update alarm {server}-{about}"));
    let lag = "update alarm orders-r1-replica-lag".to_owned();
    let mut expected: Vec<String> = [of("orders").to_vec(), of("orders-r1").to_vec(), vec![lag]].concat();
    expected.push("delete topic orders-alarms".to_owned());
    expected.sort();
    check(&[("alarm_targets", topic)], &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Its lines are on the dashboard.
    let shown = ["update alarm orders-cpu", "update alarm orders-r1-cpu", "update dashboard orders-eu-central-1"];
    check(&[("alarms", "{ cpu_percent = 70 }")], &shown).await;
}

#[tokio::test]
async fn samples_logs_and_storage() {
    let role =
        ["delete role pgherd-orders-eu-central-1-monitoring", "update instance orders", "update replica orders-r1"];
    check(&[("monitoring_interval", "0")], &role).await;
    let both = ["update instance orders", "update replica orders-r1"];
    check(&[("enable_logging", "false")], &both).await;
    check(&[("storage_type", "\"gp2\"")], &both).await;
    check(&[("preset", "\"dev\""), ("apply_immediately", "true")], &both).await;
}

/// Those that are written in `flipped.rs`, here, or another file of these tests, under whatever name.
#[test]
fn no_variable_is_forgotten() {
    let (here, _) = include_str!("around.rs").split_once("const ELSEWHERE").expect("it is here");
    let text: String = [include_str!("flipped.rs"), here, include_str!("promises.rs")].concat();
    let is_tried = |name: &str| text.contains(&format!("\"{name}\""));
    let canonical = variables::all().filter(|variable| variable.canonical.is_none());
    let ignored: BTreeSet<&str> = pgherd_aws::IGNORES.iter().map(|(name, _)| *name).collect();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(name, _)| *name).collect();
    let forgotten: Vec<&str> = canonical
        .map(|variable| variable.name)
        .filter(|name| !ignored.contains(name) && !elsewhere.contains(name) && !is_tried(name))
        .collect();
    assert_eq!(forgotten, [""; 0]);
    for (name, why) in ELSEWHERE {
        assert!(variables::variable(name).is_some() && !why.is_empty() && !is_tried(name), "{name}");
    }
}

/// What is flipped by other tests, or can only be refused.
const ELSEWHERE: &[(&str, &str)] = &[
    ("availability_zone", "RDS moves nothing to another zone: preflight/pending.rs"),
    ("aws_region", "another region is another database"),
    ("dr_kms_key_id", "rds/recovery.rs"),
    ("dr_read_replica", "rds/recovery.rs"),
    ("dr_region", "rds/recovery.rs"),
    ("dr_security_group_ids", "rds/recovery.rs"),
    ("dr_subnet_ids", "rds/recovery.rs"),
    ("dr_vpc_id", "rds/recovery.rs"),
    ("enable_backup", "turns backup_retention_period off, which flipped.rs writes"),
    ("enable_enhanced_monitoring", "turns monitoring_interval on, which is written here"),
    ("enable_proxy", "rds/proxied.rs"),
    ("engine_version", "rds/waiting.rs, rds/guarded.rs"),
    ("environment", "a tag, as tags in flipped.rs"),
    ("geo_redundant_backup", "rds/recovery.rs"),
    ("kms_key_id", "fixed at creation: rds/made.rs, rds/whole.rs"),
    ("master_password", "rds/adopted.rs, moto/secrets.rs"),
    ("name", "another name is another database"),
    ("option_group_name", "PostgreSQL has none but the default one: desired/variables.rs"),
    ("parameter_group_family", "fixed by the version: desired/variables.rs"),
    ("performance_insights_kms_key_id", "fixed once it is on: desired/variables.rs"),
    ("proxy_config", "rds/proxied.rs"),
    ("vpc_id", "fixed at creation: desired/variables.rs"),
];
