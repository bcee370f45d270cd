//! Roles and keys are looked up: who names one that RDS cannot use is told so at once.

use serde_json::json;

use super::{PLAIN, World, changed};

/// AWS's own policy for samples of the operating system.
pub const MONITORING: &str = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole";

/// What a proxy's role needs.
pub const READS: &str = r#"{"Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue"],"Resource":["arn:aws:secretsmanager:us-east-1:*:secret:orders-??????"]}]}"#;

/// What `CreateDBInstance` says where the role `watch` is monitored with.
#[track_caller]
fn monitored(prepared: impl FnOnce(&mut World), expected: &str) {
    let mut world = World::new();
    prepared(&mut world);
    let more = [("MonitoringInterval", "60"), ("MonitoringRoleArn", "arn:aws:iam::123456789012:role/watch")];
    let made = world.ask("CreateDBInstance", &changed(PLAIN, &more));
    assert_eq!(made.map_or_else(|code| code, |_| "ok".to_owned()), expected);
}

#[test]
fn samples_are_written_with_a_role_that_may() {
    const REFUSED: &str = "InvalidParameterValue";
    let attach = [("RoleName", "watch"), ("PolicyArn", MONITORING)];
    monitored(|_| {}, REFUSED);
    monitored(|world| world.role("watch", "monitoring.rds.amazonaws.com"), REFUSED);
    let of_another = |world: &mut World| {
        world.role("watch", "rds.amazonaws.com");
        world.iam("AttachRolePolicy", &attach);
    };
    monitored(of_another, REFUSED);
    let whole = |world: &mut World| {
        world.role("watch", "monitoring.rds.amazonaws.com");
        world.iam("AttachRolePolicy", &attach);
    };
    monitored(whole, "ok");
    let in_words = |world: &mut World| {
        world.role("watch", "monitoring.rds.amazonaws.com");
        let document = json!({ "Statement": { "Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:*:*:log-group:RDS*" } });
        let policy = [("RoleName", "watch"), ("PolicyName", "logs"), ("PolicyDocument", &*document.to_string())];
        world.iam("PutRolePolicy", &policy);
    };
    monitored(in_words, "ok");
}

/// What `CreateDBInstance` says where storage is encrypted with the key of the alias `alias/orders`.
#[track_caller]
fn encrypted(prepared: impl FnOnce(&mut World), expected: &str) {
    let mut world = World::new();
    prepared(&mut world);
    let made =
        world.ask("CreateDBInstance", &changed(PLAIN, &[("StorageEncrypted", "true"), ("KmsKeyId", "alias/orders")]));
    assert_eq!(made.map_or_else(|code| code, |_| "ok".to_owned()), expected);
}

/// A key of this kind behind the alias.
pub fn key(world: &mut World, spec: &str) {
    world.json("kms", "CreateKey", json!({ "KeySpec": spec }));
    let id = "00000000-0000-4000-a000-000000000001";
    world.json("kms", "CreateAlias", json!({ "AliasName": "alias/orders", "TargetKeyId": id }));
}

#[test]
fn data_is_encrypted_with_a_key_that_can() {
    const REFUSED: &str = "KMSKeyNotAccessibleFault";
    encrypted(|_| {}, REFUSED);
    encrypted(|world| key(world, "RSA_2048"), REFUSED);
    encrypted(|world| key(world, "SYMMETRIC_DEFAULT"), "ok");
    let disabled = |world: &mut World| {
        key(world, "SYMMETRIC_DEFAULT");
        world.json("kms", "DisableKey", json!({ "KeyId": "00000000-0000-4000-a000-000000000001" }));
    };
    encrypted(disabled, REFUSED);
}

#[test]
fn what_is_encrypted_is_started_restored_and_copied_while_its_key_can_be_used() {
    let mut world = World::new();
    key(&mut world, "SYMMETRIC_DEFAULT");
    world.ok("CreateDBInstance", &changed(PLAIN, &[("StorageEncrypted", "true"), ("KmsKeyId", "alias/orders")]));
    world.pass(3600);
    world.ok("CreateDBSnapshot", &[("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "one")]);
    world.pass(600);
    let start = ("StartDBInstance", vec![("DBInstanceIdentifier", "orders")]);
    world.ok("StopDBInstance", &start.1);
    world.pass(600);
    let restore = vec![("DBInstanceIdentifier", "again"), ("DBSnapshotIdentifier", "one")];
    let copy = vec![("SourceDBSnapshotIdentifier", "one"), ("TargetDBSnapshotIdentifier", "two")];
    let all = [start, ("RestoreDBInstanceFromDBSnapshot", restore), ("CopyDBSnapshot", copy)];
    let id = json!({ "KeyId": "00000000-0000-4000-a000-000000000001" });
    world.json("kms", "DisableKey", id.clone());
    for (action, sent) in &all {
        assert_eq!(world.ask(action, sent).unwrap_err(), "KMSKeyNotAccessibleFault", "{action}");
    }
    world.json("kms", "EnableKey", id);
    all.iter().for_each(|(action, sent)| drop(world.ok(action, sent)));
}
