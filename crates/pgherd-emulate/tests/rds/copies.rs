//! Replicas, snapshots and points in time: what a copy takes over from its source, and what it does not.

use super::{World, changed};

const REPLICA: &[(&str, &str)] = &[("DBInstanceIdentifier", "orders-r1"), ("SourceDBInstanceIdentifier", "orders")];

fn with_replica(more: &[(&str, &str)]) -> World {
    let mut world = World::with_orders(&[("BackupRetentionPeriod", "7")]);
    world.ok("CreateDBInstanceReadReplica", &changed(REPLICA, more));
    world.pass(3600);
    world
}

#[test]
fn a_replica_and_its_source_name_each_other() {
    let mut world = with_replica(&[]);
    assert_eq!(world.of("orders-r1", "ReadReplicaSourceDBInstanceIdentifier"), "orders");
    assert_eq!(world.field("ReadReplicaDBInstanceIdentifier"), "orders-r1");
    assert!(world.of("orders-r1", "StatusInfos").contains("<Status>replicating</Status>"));
}

#[test]
fn a_replica_takes_over_less_than_one_thinks() {
    let mut world = World::with_orders(&[
        ("BackupRetentionPeriod", "7"),
        ("MonitoringInterval", "60"),
        ("MonitoringRoleArn", "arn:aws:iam::123456789012:role/m"),
        ("EnableCloudwatchLogsExports.member.1", "postgresql"),
        ("MaxAllocatedStorage", "200"),
        ("DeletionProtection", "true"),
    ]);
    world.ok("CreateDBInstanceReadReplica", REPLICA);
    world.pass(3600);
    let mut both = |name| (world.field(name), world.of("orders-r1", name));
    let pair = |source: &str, replica: &str| (source.to_owned(), replica.to_owned());
    assert_eq!(both("AllocatedStorage"), pair("100", "100"));
    assert_eq!(both("BackupRetentionPeriod"), pair("7", "0"));
    assert_eq!(both("MonitoringInterval"), pair("60", "0"));
    assert_eq!(both("EnabledCloudwatchLogsExports"), pair("<member>postgresql</member>", ""));
    assert_eq!(both("MaxAllocatedStorage"), pair("200", ""));
    assert_eq!(both("DeletionProtection"), pair("true", "false"));
}

#[test]
fn without_backups_there_is_no_replica() {
    let found = World::with_orders(&[("BackupRetentionPeriod", "0")]).ask("CreateDBInstanceReadReplica", REPLICA);
    assert_eq!(found.unwrap_err(), "InvalidDBInstanceState");
}

#[test]
fn a_source_that_is_still_backing_up_must_be_waited_for() {
    let mut world = World::new();
    world.ok("CreateDBInstance", super::PLAIN);
    world.pass(320);
    assert_eq!(world.field("DBInstanceStatus"), "backing-up");
    assert_eq!(world.ask("CreateDBInstanceReadReplica", REPLICA).unwrap_err(), "InvalidDBInstanceState");
}

#[test]
fn a_replica_has_a_class_that_exists() {
    let mut world = World::with_orders(&[]);
    let found = world.ask("CreateDBInstanceReadReplica", &changed(REPLICA, &[("DBInstanceClass", "db.bogus.large")]));
    assert_eq!(found.unwrap_err(), "InvalidParameterValue");
}

#[test]
fn who_has_replicas_keeps_its_backups() {
    let mut world = with_replica(&[]);
    let sent = [("DBInstanceIdentifier", "orders"), ("BackupRetentionPeriod", "0")];
    assert_eq!(world.ask("ModifyDBInstance", &sent).unwrap_err(), "InvalidParameterCombination");
}

#[test]
fn a_deleted_source_promotes_its_replicas_without_a_word() {
    let mut world = with_replica(&[]);
    world.ok("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")]);
    world.pass(600);
    assert_eq!(world.of("orders-r1", "ReadReplicaSourceDBInstanceIdentifier"), "");
    assert_eq!(world.of("orders-r1", "DBInstanceStatus"), "available");
}

#[test]
fn a_replica_has_no_final_snapshot() {
    let sent = [("DBInstanceIdentifier", "orders-r1"), ("FinalDBSnapshotIdentifier", "last")];
    assert_eq!(with_replica(&[]).ask("DeleteDBInstance", &sent).unwrap_err(), "InvalidParameterCombination");
}

#[test]
fn a_promoted_replica_is_an_instance_with_backups() {
    let mut world = with_replica(&[]);
    world.ok("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1"), ("BackupRetentionPeriod", "3")]);
    assert_eq!(world.of("orders-r1", "DBInstanceStatus"), "modifying");
    world.pass(600);
    assert_eq!(world.of("orders-r1", "ReadReplicaSourceDBInstanceIdentifier"), "");
    assert_eq!(world.of("orders-r1", "BackupRetentionPeriod"), "3");
    assert_eq!(world.field("ReadReplicaDBInstanceIdentifiers"), "");
    let again = world.ask("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1")]);
    assert_eq!(again.unwrap_err(), "InvalidDBInstanceState");
}

#[test]
fn a_snapshot_takes_its_time() {
    let mut world = World::with_orders(&[]);
    let restore = [("DBInstanceIdentifier", "copy"), ("DBSnapshotIdentifier", "before")];
    assert_eq!(world.ask("RestoreDBInstanceFromDBSnapshot", &restore).unwrap_err(), "DBSnapshotNotFound");
    let sent = [("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "before")];
    world.ok("CreateDBSnapshot", &sent);
    assert_eq!(world.ask("RestoreDBInstanceFromDBSnapshot", &restore).unwrap_err(), "InvalidDBSnapshotState");
    world.pass(600);
    assert_eq!(world.ask("CreateDBSnapshot", &sent).unwrap_err(), "DBSnapshotAlreadyExists");
    world.ok("RestoreDBInstanceFromDBSnapshot", &restore);
    world.pass(3600);
    assert_eq!(world.of("copy", "DBInstanceStatus"), "available");
}

#[test]
fn a_restored_instance_has_default_groups_unless_told() {
    let mut world = World::with_orders(&[("DeletionProtection", "true")]);
    let group =
        [("DBParameterGroupName", "orders-pg16"), ("DBParameterGroupFamily", "postgres16"), ("Description", "d")];
    world.ok("CreateDBParameterGroup", &group);
    world.modify(&[("DBParameterGroupName", "orders-pg16")]);
    let sent = [
        ("SourceDBInstanceIdentifier", "orders"),
        ("TargetDBInstanceIdentifier", "copy"),
        ("UseLatestRestorableTime", "true"),
    ];
    world.ok("RestoreDBInstanceToPointInTime", &sent);
    assert_eq!(world.of("copy", "DBParameterGroupName"), "default.postgres16");
    assert_eq!(world.of("copy", "DeletionProtection"), "false");
    assert_eq!(world.of("copy", "MasterUsername"), "orders");
}

#[test]
fn points_in_time_have_bounds() {
    let mut world = World::with_orders(&[]);
    world.pass(3600);
    let mut restore = |target: &str, more: &[(&str, &str)]| {
        let base = [("SourceDBInstanceIdentifier", "orders"), ("TargetDBInstanceIdentifier", target)];
        world.ask("RestoreDBInstanceToPointInTime", &changed(&base, more)).err().unwrap_or_else(|| "ok".to_owned())
    };
    assert_eq!(restore("a", &[("RestoreTime", "2026-01-01T00:00:00Z")]), "InvalidParameterValue");
    assert_eq!(restore("a", &[("RestoreTime", "2026-01-01T09:00:00Z")]), "InvalidParameterValue");
    assert_eq!(restore("a", &[("RestoreTime", "2026-01-01T01:00:00Z")]), "ok");
    assert_eq!(restore("b", &[]), "InvalidParameterCombination");
    assert_eq!(
        restore("b", &[("SourceDBInstanceIdentifier", "none"), ("UseLatestRestorableTime", "true")]),
        "DBInstanceNotFound"
    );
}

#[test]
fn without_backups_there_is_no_point_in_time() {
    let sent = [
        ("SourceDBInstanceIdentifier", "orders"),
        ("TargetDBInstanceIdentifier", "copy"),
        ("UseLatestRestorableTime", "true"),
    ];
    let found = World::with_orders(&[("BackupRetentionPeriod", "0")]).ask("RestoreDBInstanceToPointInTime", &sent);
    assert_eq!(found.unwrap_err(), "PointInTimeRestoreNotEnabled");
}

#[test]
fn automated_backups_go_with_the_instance_unless_told() {
    let backups = |more: &[(&str, &str)]| {
        let mut world = World::with_orders(&[]);
        let base = [("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")];
        world.ok("DeleteDBInstance", &changed(&base, more));
        world.pass(600);
        let told = world.ok("DescribeDBInstanceAutomatedBackups", &[]);
        (super::inside(&told, "Status"), world)
    };
    assert_eq!(backups(&[]).0, None);
    let (status, mut world) = backups(&[("DeleteAutomatedBackups", "false")]);
    assert_eq!(status.as_deref(), Some("retained"));
    let resource = "db-00000000000000000000000001";
    let sent = [
        ("SourceDbiResourceId", resource),
        ("TargetDBInstanceIdentifier", "copy"),
        ("RestoreTime", "2026-01-01T00:30:00Z"),
    ];
    world.ok("RestoreDBInstanceToPointInTime", &sent);
    world.ok("DeleteDBInstanceAutomatedBackup", &[("DbiResourceId", resource)]);
    assert_eq!(
        world.ask("DeleteDBInstanceAutomatedBackup", &[("DbiResourceId", resource)]).unwrap_err(),
        "DBInstanceAutomatedBackupNotFound"
    );
}

#[test]
fn an_instance_with_backups_has_a_range() {
    let told = World::with_orders(&[]).ok("DescribeDBInstanceAutomatedBackups", &[("DBInstanceIdentifier", "orders")]);
    assert_eq!(super::inside(&told, "EarliestTime").as_deref(), Some("2026-01-01T00:06:30.000Z"));
    assert_eq!(super::inside(&told, "LatestTime").as_deref(), Some("2026-01-01T01:00:00.000Z"));
}

#[test]
fn a_snapshot_is_copied_under_another_name_and_with_another_key() {
    let mut world = World::with_orders(&[]);
    world.ok("CreateDBSnapshot", &[("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "one")]);
    let copy = [("SourceDBSnapshotIdentifier", "one"), ("TargetDBSnapshotIdentifier", "two")];
    assert_eq!(world.ask("CopyDBSnapshot", &copy).unwrap_err(), "InvalidDBSnapshotState");
    world.pass(3600);
    let taken = times(&mut world, "one");
    assert_eq!(taken.0, taken.1);
    assert_eq!(
        world.ask("CopyDBSnapshot", &changed(&copy, &[("KmsKeyId", "none")])).unwrap_err(),
        "KMSKeyNotAccessibleFault"
    );
    world.ok("CopyDBSnapshot", &changed(&copy, &[("KmsKeyId", "alias/aws/rds")]));
    world.pass(3600);
    assert_eq!(world.ask("CopyDBSnapshot", &copy).unwrap_err(), "DBSnapshotAlreadyExists");
    let shown = world.ok("DescribeDBSnapshots", &[("DBSnapshotIdentifier", "two")]);
    assert!(shown.contains("<Encrypted>true</Encrypted>") && shown.contains("<Status>available</Status>"), "{shown}");
    world.ok("RestoreDBInstanceFromDBSnapshot", &[("DBInstanceIdentifier", "copy"), ("DBSnapshotIdentifier", "two")]);
    assert_eq!(world.of("copy", "StorageEncrypted"), "true");
    let copied = times(&mut world, "two");
    assert_eq!(copied.1, taken.1);
    assert!(copied.0 > taken.0, "{copied:?} {taken:?}");
}

/// When a snapshot was made, and when what it holds was taken.
fn times(world: &mut World, name: &str) -> (String, String) {
    let shown = world.ok("DescribeDBSnapshots", &[("DBSnapshotIdentifier", name)]);
    let time = |field: &str| super::inside(&shown, field).unwrap();
    (time("SnapshotCreateTime"), time("OriginalSnapshotCreateTime"))
}

/// What a snapshot of 14 is restored as, once the standard support of it is over.
#[track_caller]
fn restored(support: &str, version: &str) {
    let mut world = World::with_orders(&[("EngineVersion", "14")]);
    world.ok("CreateDBSnapshot", &[("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "one")]);
    let restore = [("DBSnapshotIdentifier", "one")];
    let mut of = |id: &str, days: i64| {
        world.pass(days * 86_400);
        world.ok(
            "RestoreDBInstanceFromDBSnapshot",
            &changed(&restore, &[("DBInstanceIdentifier", id), ("EngineLifecycleSupport", support)]),
        );
        world.of(id, "EngineVersion").split('.').next().unwrap_or_default().to_owned()
    };
    assert_eq!([of("early", 60), of("late", 420)], ["14", version]);
}

#[test]
fn an_ended_major_is_restored_as_the_next_one_unless_it_is_paid_for() {
    restored("open-source-rds-extended-support-disabled", "15");
    restored("open-source-rds-extended-support", "14");
    restored("", "14");
}
