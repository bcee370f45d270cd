//! What goes between regions: replicas, and copies of automated backups.

use super::{World, changed, inside};

const THERE: &str = "eu-west-1";
const ORDERS: &str = "arn:aws:rds:us-east-1:123456789012:db:orders";
const REPLICA: &[(&str, &str)] = &[("DBInstanceIdentifier", "orders-dr"), ("SourceDBInstanceIdentifier", ORDERS)];
const COPIES: &[(&str, &str)] = &[("SourceDBInstanceArn", ORDERS), ("BackupRetentionPeriod", "7")];
const KEY: (&str, &str) = ("KmsKeyId", "alias/aws/rds");

#[track_caller]
fn refused(orders: &[(&str, &str)], action: &str, base: &[(&str, &str)], more: &[(&str, &str)], code: &str) {
    assert_eq!(World::with_orders(orders).ask_in(THERE, action, &changed(base, more)).unwrap_err(), code);
}

fn with_replica() -> World {
    let mut world = World::with_orders(&[]);
    world.ask_in(THERE, "CreateDBInstanceReadReplica", REPLICA).unwrap();
    world.pass(3600);
    world
}

fn replica(world: &mut World, field: &str) -> String {
    let told = world.ask_in(THERE, "DescribeDBInstances", &[("DBInstanceIdentifier", "orders-dr")]);
    told.map_or_else(|code| code, |told| inside(&told, field).unwrap_or_default())
}

#[test]
fn a_replica_elsewhere_and_its_source_name_each_other_by_arn() {
    let mut world = with_replica();
    assert_eq!(replica(&mut world, "ReadReplicaSourceDBInstanceIdentifier"), ORDERS);
    let arn = "arn:aws:rds:eu-west-1:123456789012:db:orders-dr";
    assert_eq!(world.field("ReadReplicaDBInstanceIdentifier"), arn);
    assert_eq!(replica(&mut world, "DBParameterGroupName"), "default.postgres16");
    assert!(replica(&mut world, "AvailabilityZone").starts_with(THERE));
}

#[test]
fn a_replica_elsewhere_of_what_is_encrypted_needs_a_key_there() {
    let encrypted: &[_] = &[("StorageEncrypted", "true")];
    let create = "CreateDBInstanceReadReplica";
    refused(encrypted, create, REPLICA, &[], "InvalidParameterCombination");
    refused(encrypted, create, REPLICA, &[("KmsKeyId", "alias/nobody")], "KMSKeyNotAccessibleFault");
    refused(&[], create, REPLICA, &[KEY], "InvalidParameterCombination");
    let mut world = World::with_orders(encrypted);
    world.ask_in(THERE, create, &changed(REPLICA, &[KEY])).unwrap();
    assert!(replica(&mut world, "KmsKeyId").starts_with("arn:aws:kms:eu-west-1:"));
}

#[test]
fn what_a_replica_elsewhere_does_not_take() {
    let create = "CreateDBInstanceReadReplica";
    refused(&[("BackupRetentionPeriod", "0")], create, REPLICA, &[], "InvalidDBInstanceState");
    refused(&[], create, REPLICA, &[("DBParameterGroupName", "default.postgres16")], "InvalidParameterCombination");
    let nobody = ("SourceDBInstanceIdentifier", "arn:aws:rds:us-east-1:123456789012:db:others");
    refused(&[], create, REPLICA, &[nobody], "DBInstanceNotFound");
    refused(&[], create, REPLICA, &[("PreSignedUrl", "https://rds/?Action=Other")], "InvalidParameterValue");
}

#[test]
fn who_is_followed_elsewhere_keeps_its_backups() {
    let sent = [("DBInstanceIdentifier", "orders"), ("BackupRetentionPeriod", "0")];
    assert_eq!(with_replica().ask("ModifyDBInstance", &sent).unwrap_err(), "InvalidParameterCombination");
}

#[test]
fn a_source_that_is_gone_promotes_its_replica_elsewhere() {
    let mut world = with_replica();
    world.ok("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")]);
    world.pass(3600);
    assert_eq!(replica(&mut world, "ReadReplicaSourceDBInstanceIdentifier"), "");
    assert_eq!(replica(&mut world, "DBInstanceStatus"), "available");
}

#[test]
fn backups_are_copied_until_somebody_ends_it_and_the_copies_stay() {
    let mut world = World::with_orders(&[]);
    let told = world.ask_in(THERE, "StartDBInstanceAutomatedBackupsReplication", COPIES).unwrap();
    let arn = inside(&told, "DBInstanceAutomatedBackupsArn").unwrap();
    assert_eq!(world.field("DBInstanceAutomatedBackupsArn"), arn);
    let again = world.ask_in(THERE, "StartDBInstanceAutomatedBackupsReplication", COPIES);
    assert_eq!(again.unwrap_err(), "InvalidDBInstanceAutomatedBackupState");
    let named = [("DBInstanceAutomatedBackupsArn", arn.as_str())];
    let early = world.ask_in(THERE, "DeleteDBInstanceAutomatedBackup", &named);
    assert_eq!(early.unwrap_err(), "InvalidDBInstanceAutomatedBackupState");
    world.ask_in(THERE, "StopDBInstanceAutomatedBackupsReplication", &COPIES[..1]).unwrap();
    assert_eq!(world.field("DBInstanceAutomatedBackupsArn"), "");
    let kept = world.ask_in(THERE, "DescribeDBInstanceAutomatedBackups", &[]).unwrap();
    assert!(kept.contains("<Status>retained</Status>") && kept.contains(&arn), "{kept}");
    world.ask_in(THERE, "DeleteDBInstanceAutomatedBackup", &named).unwrap();
    let stopped = world.ask_in(THERE, "StopDBInstanceAutomatedBackupsReplication", &COPIES[..1]);
    assert_eq!(stopped.unwrap_err(), "DBInstanceNotFound");
}

#[test]
fn what_copying_does_not_take() {
    let start = "StartDBInstanceAutomatedBackupsReplication";
    refused(&[("BackupRetentionPeriod", "0")], start, COPIES, &[], "InvalidDBInstanceState");
    refused(&[("StorageEncrypted", "true")], start, COPIES, &[], "InvalidParameterCombination");
    refused(&[], start, COPIES, &[("BackupRetentionPeriod", "36")], "InvalidParameterValue");
    let here = ("SourceDBInstanceArn", "arn:aws:rds:eu-west-1:123456789012:db:orders");
    refused(&[], start, COPIES, &[here], "InvalidParameterValue");
}
