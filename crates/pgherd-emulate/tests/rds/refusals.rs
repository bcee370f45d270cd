//! What AWS refuses and moto lets through, each with AWS's code; and what is fine.

use super::{PLAIN, World, changed};

/// Creates the plain instance with something else said.
#[track_caller]
fn create(more: &[(&str, &str)], expected: &str) {
    let found = World::new().ask("CreateDBInstance", &changed(PLAIN, more));
    assert_eq!(found.err().unwrap_or_else(|| "ok".to_owned()), expected, "{more:?}");
}

/// Modifies it.
#[track_caller]
fn modify(base: &[(&str, &str)], more: &[(&str, &str)], expected: &str) {
    let sent = changed(&[("DBInstanceIdentifier", "orders")], more);
    let found = World::with_orders(base).ask("ModifyDBInstance", &sent);
    assert_eq!(found.err().unwrap_or_else(|| "ok".to_owned()), expected, "{more:?}");
}

const VALUE: &str = "InvalidParameterValue";
const COMBINATION: &str = "InvalidParameterCombination";

#[test]
fn the_plain_instance_is_fine() {
    create(&[], "ok");
}

#[test]
fn versions_that_cannot_be_created() {
    create(&[("EngineVersion", "14.9")], COMBINATION);
    create(&[("EngineVersion", "99.9")], COMBINATION);
    create(&[("EngineVersion", "16.9")], "ok");
}

#[test]
fn classes_that_do_not_exist() {
    create(&[("DBInstanceClass", "db.bogus.large")], VALUE);
    create(&[("DBInstanceClass", "db-custom-2-8192")], VALUE);
}

#[test]
fn storage_that_does_not_go_together() {
    create(&[("AllocatedStorage", "5")], VALUE);
    create(&[("AllocatedStorage", "")], "MissingParameter");
    create(&[("StorageType", "gp3"), ("Iops", "3000")], COMBINATION);
    create(
        &[("StorageType", "gp3"), ("AllocatedStorage", "400"), ("Iops", "12000"), ("StorageThroughput", "4000")],
        COMBINATION,
    );
    create(
        &[("StorageType", "gp3"), ("AllocatedStorage", "400"), ("Iops", "16000"), ("StorageThroughput", "4000")],
        "ok",
    );
    create(&[("MaxAllocatedStorage", "105")], COMBINATION);
    create(&[("KmsKeyId", "alias/a")], COMBINATION);
}

#[test]
fn monitoring_needs_its_role_and_its_interval() {
    create(&[("MonitoringInterval", "60")], COMBINATION);
    create(&[("MonitoringInterval", "7"), ("MonitoringRoleArn", "arn:aws:iam::123456789012:role/m")], VALUE);
    create(&[("MonitoringInterval", "0"), ("MonitoringRoleArn", "arn:aws:iam::123456789012:role/m")], COMBINATION);
    create(&[("MonitoringInterval", "60"), ("MonitoringRoleArn", "arn:aws:iam::123456789012:role/m")], "ok");
}

#[test]
fn insights_are_kept_for_certain_times() {
    create(&[("EnablePerformanceInsights", "true"), ("PerformanceInsightsRetentionPeriod", "8")], VALUE);
    create(&[("EnablePerformanceInsights", "true"), ("PerformanceInsightsRetentionPeriod", "62")], "ok");
    create(&[("PerformanceInsightsRetentionPeriod", "7")], COMBINATION);
}

#[test]
fn backups_are_kept_for_35_days_at_most() {
    create(&[("BackupRetentionPeriod", "36")], VALUE);
    create(&[("BackupRetentionPeriod", "35")], "ok");
}

#[test]
fn windows_may_touch_but_not_overlap() {
    create(&[("PreferredBackupWindow", "03:00-04:00"), ("PreferredMaintenanceWindow", "mon:04:00-mon:05:00")], "ok");
    create(&[("PreferredBackupWindow", "03:00-04:01"), ("PreferredMaintenanceWindow", "mon:04:00-mon:05:00")], VALUE);
    create(&[("PreferredBackupWindow", "03:00-03:29")], VALUE);
}

#[test]
fn logins_have_rules() {
    create(&[("MasterUserPassword", "has@sign1")], VALUE);
    create(&[("MasterUserPassword", "short")], VALUE);
    create(&[("MasterUsername", "admin")], VALUE);
    create(&[("MasterUsername", "pg_me")], VALUE);
    create(&[("ManageMasterUserPassword", "true")], COMBINATION);
    create(&[("DBName", "my-db")], VALUE);
}

#[test]
fn places_must_exist() {
    create(&[("MultiAZ", "true"), ("AvailabilityZone", "us-east-1a")], COMBINATION);
    create(&[("AvailabilityZone", "us-west-2a")], "InvalidVPCNetworkStateFault");
    create(&[("DBSubnetGroupName", "none")], "DBSubnetGroupNotFoundFault");
    create(&[("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-none")], VALUE);
}

#[test]
fn names_have_rules() {
    for id in ["1st", "a--b", "a-", "a_b"] {
        create(&[("DBInstanceIdentifier", id)], VALUE);
    }
    let twice = World::with_orders(&[]).ask("CreateDBInstance", &changed(PLAIN, &[("DBInstanceIdentifier", "Orders")]));
    assert_eq!(twice.unwrap_err(), "DBInstanceAlreadyExists");
}

#[test]
fn a_group_of_another_family_does_not_fit() {
    let mut world = World::new();
    world.ok(
        "CreateDBParameterGroup",
        &[("DBParameterGroupName", "old"), ("DBParameterGroupFamily", "postgres15"), ("Description", "d")],
    );
    let found = world.ask("CreateDBInstance", &changed(PLAIN, &[("DBParameterGroupName", "old")]));
    assert_eq!(found.unwrap_err(), COMBINATION);
    let found = world.ask("CreateDBInstance", &changed(PLAIN, &[("DBParameterGroupName", "none")]));
    assert_eq!(found.unwrap_err(), "DBParameterGroupNotFound");
}

#[test]
fn modifications_that_are_refused() {
    modify(&[], &[], COMBINATION);
    modify(&[], &[("ApplyImmediately", "true")], COMBINATION);
    modify(&[], &[("AllocatedStorage", "50")], COMBINATION);
    let large = [("StorageType", "gp3"), ("AllocatedStorage", "500")];
    modify(&large, &[("AllocatedStorage", "600")], COMBINATION);
    modify(&large, &[("AllocatedStorage", "600"), ("Iops", "12000")], "ok");
    modify(&[], &[("EngineVersion", "17")], COMBINATION);
    modify(&[("EngineVersion", "16.10")], &[("EngineVersion", "16.9")], COMBINATION);
    modify(&[], &[("MonitoringInterval", "60")], COMBINATION);
    modify(&[], &[("DBInstanceClass", "db.bogus.large")], VALUE);
}

#[test]
fn who_is_busy_takes_no_changes() {
    let mut world = World::new();
    world.ok("CreateDBInstance", PLAIN);
    let found = world.ask("ModifyDBInstance", &[("DBInstanceIdentifier", "orders"), ("CopyTagsToSnapshot", "true")]);
    assert_eq!(found.unwrap_err(), "InvalidDBInstanceState");
}

#[test]
fn deletions_that_are_refused() {
    let delete = |base: &[(&str, &str)], more: &[(&str, &str)]| {
        let sent = changed(&[("DBInstanceIdentifier", "orders")], more);
        World::with_orders(base).ask("DeleteDBInstance", &sent).err().unwrap_or_else(|| "ok".to_owned())
    };
    assert_eq!(delete(&[], &[]), COMBINATION);
    assert_eq!(delete(&[], &[("SkipFinalSnapshot", "true"), ("FinalDBSnapshotIdentifier", "last")]), COMBINATION);
    assert_eq!(delete(&[("DeletionProtection", "true")], &[("SkipFinalSnapshot", "true")]), COMBINATION);
    assert_eq!(delete(&[], &[("DBInstanceIdentifier", "none"), ("SkipFinalSnapshot", "true")]), "DBInstanceNotFound");
    assert_eq!(delete(&[], &[("FinalDBSnapshotIdentifier", "last")]), "ok");
}

#[test]
fn subnet_groups_cover_two_zones_of_one_vpc_and_are_kept_while_in_use() {
    let mut world = World::new();
    let group = |subnets: &[&'static str]| {
        let mut sent = vec![("DBSubnetGroupName".to_owned(), "orders"), ("DBSubnetGroupDescription".to_owned(), "d")];
        sent.extend(subnets.iter().zip(1..).map(|(id, n)| (format!("SubnetIds.SubnetIdentifier.{n}"), *id)));
        sent
    };
    let mut ask = |subnets: &[&'static str]| {
        let sent = group(subnets);
        let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        world.ask("CreateDBSubnetGroup", &sent).err().unwrap_or_else(|| "ok".to_owned())
    };
    assert_eq!(ask(&["subnet-a"]), "DBSubnetGroupDoesNotCoverEnoughAZs");
    assert_eq!(ask(&["subnet-a", "subnet-x"]), "InvalidSubnet");
    assert_eq!(ask(&["subnet-a", "subnet-b"]), "ok");
    assert_eq!(ask(&["subnet-a", "subnet-b"]), "DBSubnetGroupAlreadyExists");
    world.ok("CreateDBInstance", &changed(PLAIN, &[("DBSubnetGroupName", "orders")]));
    let found = world.ask("DeleteDBSubnetGroup", &[("DBSubnetGroupName", "orders")]);
    assert_eq!(found.unwrap_err(), "InvalidDBSubnetGroupStateFault");
}

#[test]
fn pages_hold_20_to_100() {
    let found = World::new().ask("DescribeDBInstances", &[("MaxRecords", "10")]);
    assert_eq!(found.unwrap_err(), VALUE);
}

#[test]
fn an_action_that_does_not_exist() {
    assert_eq!(World::new().ask("Bogus", &[]).unwrap_err(), "InvalidAction");
}

#[test]
fn what_cannot_be_ordered_is_not_listed() {
    let options = |class: &str, version: &str| {
        let sent = [("Engine", "postgres"), ("DBInstanceClass", class), ("EngineVersion", version)];
        World::new().ok("DescribeOrderableDBInstanceOptions", &sent).matches("<OrderableDBInstanceOption>").count()
    };
    assert_eq!(options("db.r5.large", "16.9"), 5);
    assert_eq!(options("db.bogus.large", "16.9"), 0);
    assert_eq!(options("db.r5.large", "14.9"), 0);
}
