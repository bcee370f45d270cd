//! How an instance lives: its phases, what waits for the window, what rides at once, and how it ends.

use jiff::SignedDuration;

use super::{PLAIN, World, changed};

/// Every status `orders` goes through from now on, looked at every 5 seconds for an hour.
fn statuses(world: &mut World) -> String {
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..720 {
        let status = world.field("DBInstanceStatus");
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        world.pass(5);
    }
    seen.join(" > ")
}

#[test]
fn a_new_instance_flaps_before_it_is_ready() {
    let mut world = World::new();
    let more = [
        ("MonitoringInterval", "60"),
        ("MonitoringRoleArn", "arn:aws:iam::123456789012:role/m"),
        ("EnableCloudwatchLogsExports.member.1", "postgresql"),
    ];
    world.ok("CreateDBInstance", &changed(PLAIN, &more));
    insta::assert_snapshot!(
        statuses(&mut world),
        @"creating > backing-up > available > configuring-enhanced-monitoring > available > configuring-log-exports > available"
    );
}

#[test]
fn the_endpoint_comes_when_it_was_created() {
    let mut world = World::new();
    world.ok("CreateDBInstance", PLAIN);
    assert_eq!(world.field("Address"), "");
    world.pass(400);
    assert_eq!(world.field("Address"), "orders.000000000001.us-east-1.rds.emulated");
}

#[test]
fn what_is_not_said_is_as_on_aws() {
    let body = World::with_orders(&[]).ok("DescribeDBInstances", &[]);
    insta::assert_snapshot!(body.replace("><", ">\n<"));
}

#[test]
fn a_class_waits_for_the_window() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("DBInstanceClass", "db.r5.xlarge")]);
    let pending = world.field("PendingModifiedValues");
    assert_eq!(pending, "<DBInstanceClass>db.r5.xlarge</DBInstanceClass>");
    assert_eq!(world.field("DBInstanceStatus"), "available");
    // From Thursday to Sunday 5:00.
    world.pass(3 * 86_400 + 5 * 3600 - 3600 + 60);
    assert_eq!(world.field("DBInstanceStatus"), "modifying");
    world.pass(3600);
    assert_eq!(
        (world.field("PendingModifiedValues").as_str(), world.field("DBInstanceStatus").as_str()),
        ("", "available")
    );
    assert!(world.ok("DescribeDBInstances", &[]).contains("<DBInstanceClass>db.r5.xlarge</DBInstanceClass>"));
}

#[test]
fn a_class_at_once_looks_as_if_nothing_happened_for_a_moment() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("DBInstanceClass", "db.r5.xlarge"), ("ApplyImmediately", "true")]);
    assert_eq!(statuses(&mut world), "available > modifying > available");
    assert_eq!(world.field("DBInstanceClass"), "db.r5.xlarge");
}

#[test]
fn whoever_applies_at_once_applies_what_waits_too() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("DBInstanceClass", "db.r5.xlarge")]);
    world.modify(&[("MultiAZ", "true"), ("ApplyImmediately", "true")]);
    world.pass(3600);
    assert_eq!((world.field("DBInstanceClass").as_str(), world.field("MultiAZ").as_str()), ("db.r5.xlarge", "true"));
}

#[test]
fn retention_between_days_rides_at_once_and_to_none_waits() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("BackupRetentionPeriod", "7")]);
    world.pass(600);
    assert_eq!(world.field("BackupRetentionPeriod"), "7");
    world.modify(&[("BackupRetentionPeriod", "0")]);
    assert_eq!(world.field("PendingModifiedValues"), "<BackupRetentionPeriod>0</BackupRetentionPeriod>");
}

#[test]
fn storage_is_optimized_and_meanwhile_takes_no_change() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("AllocatedStorage", "200"), ("ApplyImmediately", "true")]);
    world.pass(600);
    assert_eq!(world.field("DBInstanceStatus"), "storage-optimization");
    let more = [("DBInstanceIdentifier", "orders"), ("AllocatedStorage", "300"), ("ApplyImmediately", "true")];
    assert_eq!(world.ask("ModifyDBInstance", &more).unwrap_err(), "InvalidParameterCombination");
    world.modify(&[("DeletionProtection", "true")]);
    world.pass(6 * 3600);
    world.modify(&more[1..]);
}

#[test]
fn a_small_step_of_storage_is_rounded_up_to_a_tenth() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("AllocatedStorage", "101"), ("ApplyImmediately", "true")]);
    world.pass(600);
    assert_eq!(world.field("AllocatedStorage"), "110");
}

#[test]
fn full_storage_takes_nothing_but_more_of_it() {
    let mut world = World::with_orders(&[]);
    let orders = world.emulation.region("us-east-1").instances.get_mut("orders").expect("it was made");
    orders.is_full = true;
    assert_eq!(world.field("DBInstanceStatus"), "storage-full");
    let protection = [("DBInstanceIdentifier", "orders"), ("DeletionProtection", "true")];
    assert_eq!(world.ask("ModifyDBInstance", &protection).unwrap_err(), "InvalidDBInstanceState");
    world.modify(&[("AllocatedStorage", "200"), ("ApplyImmediately", "true")]);
    assert_eq!(statuses(&mut world), "available > modifying > storage-optimization");
}

#[test]
fn what_is_told_of_settings_may_lag_behind() {
    let group = [("DBParameterGroupName", "own")];
    let mut world = World::new();
    let family = [("DBParameterGroupFamily", "postgres16"), ("Description", "x")];
    world.ok("CreateDBParameterGroup", &changed(&group, &family));
    world.ok("CreateDBInstance", &changed(PLAIN, &group));
    world.pass(3600);
    world.emulation.region("us-east-1").settings_lag = SignedDuration::from_secs(100);
    assert_eq!(world.field("ParameterApplyStatus"), "in-sync");
    let setting = [
        ("Parameters.Parameter.1.ParameterName", "max_connections"),
        ("Parameters.Parameter.1.ParameterValue", "50"),
        ("Parameters.Parameter.1.ApplyMethod", "pending-reboot"),
    ];
    world.ok("ModifyDBParameterGroup", &changed(&group, &setting));
    assert_eq!(world.field("ParameterApplyStatus"), "in-sync");
    world.pass(100);
    assert_eq!(world.field("ParameterApplyStatus"), "pending-reboot");
}

#[test]
fn replicas_go_along_to_another_major() {
    let mut world = World::with_orders(&[("BackupRetentionPeriod", "1")]);
    let replica = [("DBInstanceIdentifier", "copy"), ("SourceDBInstanceIdentifier", "orders")];
    world.ok("CreateDBInstanceReadReplica", &replica);
    world.pass(3600);
    let upgrade = [("EngineVersion", "17"), ("AllowMajorVersionUpgrade", "true"), ("ApplyImmediately", "true")];
    let alone = world.ask("ModifyDBInstance", &changed(&[("DBInstanceIdentifier", "copy")], &upgrade));
    assert_eq!(alone.unwrap_err(), "InvalidParameterCombination");
    world.modify(&upgrade);
    world.pass(3600);
    assert_eq!(world.of("copy", "DBInstanceStatus"), "upgrading");
    world.pass(3600);
    assert_eq!(world.of("copy", "EngineVersion"), world.field("EngineVersion"));
    assert_eq!(world.of("copy", "DBParameterGroupName"), "default.postgres17");
}

#[test]
fn a_failover_exchanges_the_zones() {
    let mut world = World::with_orders(&[("MultiAZ", "true")]);
    assert_eq!(world.field("SecondaryAvailabilityZone"), "us-east-1b");
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders"), ("ForceFailover", "true")]);
    assert_eq!(statuses(&mut world), "rebooting > available");
    assert_eq!(world.field("SecondaryAvailabilityZone"), "us-east-1a");
}

#[test]
fn a_single_instance_cannot_fail_over() {
    let sent = [("DBInstanceIdentifier", "orders"), ("ForceFailover", "true")];
    assert_eq!(World::with_orders(&[]).ask("RebootDBInstance", &sent).unwrap_err(), "InvalidParameterCombination");
}

#[test]
fn it_becomes_multi_az_and_has_a_second_zone() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("MultiAZ", "true"), ("ApplyImmediately", "true")]);
    world.pass(3600);
    assert_eq!(world.field("SecondaryAvailabilityZone"), "us-east-1b");
}

#[test]
fn a_name_changes_with_its_tags() {
    let mut world = World::with_orders(&[("Tags.Tag.1.Key", "team"), ("Tags.Tag.1.Value", "a")]);
    world.modify(&[("NewDBInstanceIdentifier", "orders-before"), ("ApplyImmediately", "true")]);
    world.pass(600);
    assert_eq!(world.field("DBInstanceStatus"), "DBInstanceNotFound");
    assert_eq!(world.of("orders-before", "Tag"), "<Key>team</Key><Value>a</Value>");
}

#[test]
fn a_deleted_instance_is_gone_and_its_last_snapshot_stays() {
    let mut world = World::with_orders(&[]);
    world.ok("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("FinalDBSnapshotIdentifier", "last")]);
    assert_eq!(world.field("DBInstanceStatus"), "deleting");
    let again = [("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")];
    assert_eq!(world.ask("DeleteDBInstance", &again).unwrap_err(), "InvalidDBInstanceState");
    world.pass(600);
    assert_eq!(world.field("DBInstanceStatus"), "DBInstanceNotFound");
    assert!(world.ok("DescribeDBSnapshots", &[]).contains("<Status>available</Status>"));
}

#[test]
fn no_password_is_in_what_was_asked() {
    let world = World::with_orders(&[]);
    assert!(!serde_json::to_string(&world.emulation.asked).unwrap().contains("correct-horse"));
    assert!(!format!("{:?}", world.emulation).contains("correct-horse"));
}

#[test]
fn another_major_takes_the_group_of_its_family_along() {
    let mut world = World::with_orders(&[]);
    world.modify(&[("EngineVersion", "17"), ("AllowMajorVersionUpgrade", "true")]);
    assert_eq!(world.field("DBParameterGroupName"), "default.postgres16");
    world.modify(&[("CopyTagsToSnapshot", "true"), ("ApplyImmediately", "true")]);
    assert_eq!(statuses(&mut world), "available > upgrading > available");
    assert_eq!(world.field("DBParameterGroupName"), "default.postgres17");
    assert_eq!(world.field("ParameterApplyStatus"), "in-sync");
}

#[test]
fn a_slow_operation_takes_as_many_times_longer() {
    let mut world = World::new();
    world
        .emulation
        .faults
        .push(serde_json::from_str(r#"{"action":"CreateDBInstance","fault":"slow","factor":10}"#).unwrap());
    world.ok("CreateDBInstance", PLAIN);
    world.pass(2995);
    assert_eq!(world.field("DBInstanceStatus"), "creating");
    world.pass(10);
    assert_eq!(world.field("DBInstanceStatus"), "backing-up");
}

#[test]
fn what_is_stopped_takes_nothing_until_it_is_started_or_a_week_is_over() {
    let mut world = World::with_orders(&[]);
    let orders = [("DBInstanceIdentifier", "orders")];
    assert_eq!(world.ask("StartDBInstance", &orders).unwrap_err(), "InvalidDBInstanceState");
    world.modify(&[("DBInstanceClass", "db.r5.xlarge")]);
    world.ok("StopDBInstance", &changed(&orders, &[("DBSnapshotIdentifier", "before")]));
    insta::assert_snapshot!(statuses(&mut world), @"stopping > stopped");
    assert_eq!(
        world.ask("ModifyDBInstance", &changed(&orders, &[("DeletionProtection", "true")])).unwrap_err(),
        "InvalidDBInstanceState"
    );
    assert_eq!(world.ask("StopDBInstance", &orders).unwrap_err(), "InvalidDBInstanceState");
    assert!(world.ok("DescribeDBSnapshots", &[]).contains("<DBSnapshotIdentifier>before</DBSnapshotIdentifier>"));
    world.ok("StartDBInstance", &orders);
    insta::assert_snapshot!(statuses(&mut world), @"starting > available");
    world.ok("StopDBInstance", &orders);
    // The window comes on Sunday, and finds nobody.
    world.pass(6 * 86_400);
    assert_eq!(world.field("DBInstanceStatus"), "stopped");
    assert_eq!(world.field("PendingModifiedValues"), "<DBInstanceClass>db.r5.xlarge</DBInstanceClass>");
    world.pass(86_400 + 300);
    assert_eq!(world.field("DBInstanceStatus"), "available");
}

#[test]
fn neither_a_replica_nor_its_source_is_stopped() {
    let mut world = World::with_orders(&[]);
    world
        .ok("CreateDBInstanceReadReplica", &[("DBInstanceIdentifier", "r1"), ("SourceDBInstanceIdentifier", "orders")]);
    world.pass(3600);
    for id in ["orders", "r1"] {
        assert_eq!(world.ask("StopDBInstance", &[("DBInstanceIdentifier", id)]).unwrap_err(), "InvalidDBInstanceState");
    }
}
