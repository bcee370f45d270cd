//! Each variable of an instance, written otherwise: the change that is expected, and then nothing.

use pgherd_engine::suite;

use crate::target::Servers;
use crate::world::{LARGE, World, changes, with};

/// Applies the large block, then the same with some arguments written otherwise, and checks what that changes.
async fn check(more: &[(&str, &str)], expected: &[&str]) {
    suite::flipped::<Servers>(LARGE, &with(LARGE, more), expected).await;
}

/// A field of the instance and of both replicas.
fn all(change: &str) -> Vec<String> {
    let ids = ["instance orders", "replica orders-r1", "replica orders-r2"];
    ids.iter().map(|id| format!("update {id}: {change}")).collect()
}

async fn check_all(more: &[(&str, &str)], change: &str) {
    let expected = all(change);
    check(more, &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn instance_class() {
    check_all(&[("instance_class", "\"db.r5.xlarge\"")], "DBInstanceClass db.r5.large -> db.r5.xlarge in the window")
        .await;
}

#[tokio::test]
async fn allocated_storage() {
    check_all(&[("allocated_storage", "600")], "AllocatedStorage 500 -> 600").await;
}

#[tokio::test]
async fn max_allocated_storage() {
    check_all(&[("max_allocated_storage", "2000")], "MaxAllocatedStorage 1000 -> 2000").await;
    check_all(&[("max_allocated_storage", "")], "MaxAllocatedStorage 1000 -> (none)").await;
}

#[tokio::test]
async fn storage_figures() {
    check_all(&[("storage_iops", "20000")], "Iops 16000 -> 20000").await;
    check_all(&[("storage_throughput", "2000")], "StorageThroughput 1000 -> 2000").await;
}

#[tokio::test]
async fn figures_that_are_taken_out_become_what_is_given() {
    let both = ["Iops 16000 -> (none)", "StorageThroughput 1000 -> (none)"];
    let ids = ["instance orders", "replica orders-r1", "replica orders-r2"];
    let expected: Vec<String> = ids.iter().flat_map(|id| both.map(|change| format!("update {id}: {change}"))).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("storage_iops", ""), ("storage_throughput", "")], &expected).await;
}

#[tokio::test]
async fn multi_az() {
    check(&[("multi_az", "false")], &["update instance orders: MultiAZ true -> false"]).await;
}

#[tokio::test]
async fn backup_retention_period() {
    check(&[("backup_retention_period", "7")], &["update instance orders: BackupRetentionPeriod 14 -> 7"]).await;
}

#[tokio::test]
async fn windows() {
    check(
        &[("backup_window", "\"01:00-02:00\"")],
        &["update instance orders: PreferredBackupWindow 02:00-03:00 -> 01:00-02:00"],
    )
    .await;
    check_all(
        &[("maintenance_window", "\"sun:05:00-sun:06:00\"")],
        "PreferredMaintenanceWindow sat:04:00-sat:05:00 -> sun:05:00-sun:06:00",
    )
    .await;
}

#[tokio::test]
async fn enable_deletion_protection() {
    check(&[("enable_deletion_protection", "true")], &["update instance orders: DeletionProtection false -> true"])
        .await;
}

#[tokio::test]
async fn copy_tags_to_snapshot() {
    check_all(&[("copy_tags_to_snapshot", "false")], "CopyTagsToSnapshot true -> false").await;
}

#[tokio::test]
async fn iam_database_authentication_enabled() {
    check_all(&[("iam_database_authentication_enabled", "false")], "EnableIAMDatabaseAuthentication true -> false")
        .await;
}

#[tokio::test]
async fn publicly_accessible() {
    check_all(&[("publicly_accessible", "true")], "PubliclyAccessible false -> true").await;
}

#[tokio::test]
async fn query_analysis() {
    check_all(&[("performance_insights_retention_period", "62")], "PerformanceInsightsRetentionPeriod 31 -> 62").await;
    check_all(&[("enable_performance_insights", "false")], "EnablePerformanceInsights true -> false").await;
}

#[tokio::test]
async fn monitoring() {
    check_all(&[("monitoring_interval", "60")], "MonitoringInterval 30 -> 60").await;
    let role = "arn:aws:iam::123456789012:role/other";
    check_all(
        &[("monitoring_role_arn", &format!("\"{role}\""))],
        &format!("MonitoringRoleArn arn:aws:iam::123456789012:role/monitoring -> {role}"),
    )
    .await;
    check_all(&[("monitoring_interval", "0"), ("monitoring_role_arn", "")], "MonitoringInterval 30 -> 0").await;
}

#[tokio::test]
async fn logs() {
    check_all(
        &[("enabled_cloudwatch_logs_exports", "[\"upgrade\"]")],
        "EnableCloudwatchLogsExports [postgresql, upgrade] -> [upgrade]",
    )
    .await;
}

#[tokio::test]
async fn port() {
    let mut world = World::with(LARGE).await;
    let block = with(LARGE, &[("port", "5433")]);
    let refused = world.plan(&block).await.plan.diagnostics;
    assert_eq!(refused.iter().map(|told| told.code).collect::<Vec<_>>(), ["port-restarts-now"]);
    world.accepted.insert("port-restarts-now".to_owned());
    assert_eq!(changes(&world.apply(&block).await), all("Port 5432 -> 5433"));
    assert_eq!(world.left(&block).await, [""; 0]);
}

#[tokio::test]
async fn tags() {
    let all: Vec<String> = ["Tags.Owner ann -> (none)", "Tags.Team (none) -> shop", "Tags.pgherd:tags Owner -> Team"]
        .iter()
        .flat_map(|change| all(change))
        .collect();
    let mut expected: Vec<&str> = all.iter().map(String::as_str).collect();
    expected.sort_by_key(|change| change.split(':').next().map(str::to_owned));
    check(&[("tags", "{ Team = \"shop\" }")], &expected).await;
}

#[tokio::test]
async fn parameters() {
    let of = |value: &str| {
        format!("[{{ name = \"shared_buffers\", value = \"256MB\" }}, {{ name = \"work_mem\", value = \"{value}\" }}]")
    };
    check(&[("parameters", &of("16MB"))], &["update parameter_group orders-pg16: Parameters.work_mem 8192 -> 16384"])
        .await;
    check(
        &[("parameters", "[{ name = \"shared_buffers\", value = \"256MB\" }]")],
        &["update parameter_group orders-pg16: Parameters.work_mem 8192 -> (none)"],
    )
    .await;
}

#[tokio::test]
async fn subnet_ids() {
    let two = with(LARGE, &[("subnet_ids", "[\"subnet-a\", \"subnet-b\"]")]);
    let world = World::with(&two).await;
    let change = "update subnet_group orders: SubnetIds [subnet-a, subnet-b] -> [subnet-a, subnet-b, subnet-c]";
    assert_eq!(changes(&world.apply(LARGE).await), [change]);
    assert_eq!(world.left(LARGE).await, [""; 0]);
}

#[tokio::test]
async fn read_replica_count() {
    check(&[("read_replica_count", "3")], &["create replica orders-r3"]).await;
}

/// What is fixed at creation is an error that says how to get there.
#[tokio::test]
async fn what_is_fixed_is_refused() {
    let world = World::with(LARGE).await;
    for (name, value) in
        [("database_name", "\"other\""), ("master_username", "\"other\""), ("storage_encrypted", "false")]
    {
        let planned = world.plan(&with(LARGE, &[(name, value)])).await;
        let codes: Vec<_> = planned.plan.diagnostics.iter().map(|told| told.code).collect();
        assert_eq!(codes, ["fixed-field"], "{name}");
    }
}

/// Storage that grew by itself, a patched minor version, another zone after a failover.
#[tokio::test]
async fn what_aws_changes_by_itself_is_no_difference() {
    let world = World::with(LARGE).await;
    let grown = [
        ("DBInstanceIdentifier", "orders"),
        ("AllocatedStorage", "700"),
        ("Iops", "16000"),
        ("ApplyImmediately", "true"),
    ];
    world.tamper("ModifyDBInstance", &grown);
    world.pass(7200);
    world.tamper("RebootDBInstance", &[("DBInstanceIdentifier", "orders"), ("ForceFailover", "true")]);
    world.pass(7200);
    let patched = [("DBInstanceIdentifier", "orders"), ("EngineVersion", "16.14"), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &patched);
    world.pass(7200);
    assert_eq!(world.left(LARGE).await, [""; 0]);
}

/// What somebody changed by hand is put right.
#[tokio::test]
async fn drift_is_found_and_put_right() {
    let world = World::with(LARGE).await;
    world.tamper("ModifyDBInstance", &[("DBInstanceIdentifier", "orders"), ("CopyTagsToSnapshot", "false")]);
    let setting = [
        ("DBParameterGroupName", "orders-pg16"),
        ("Parameters.Parameter.1.ParameterName", "work_mem"),
        ("Parameters.Parameter.1.ParameterValue", "65536"),
        ("Parameters.Parameter.1.ApplyMethod", "immediate"),
    ];
    world.tamper("ModifyDBParameterGroup", &setting);
    let drift = [
        "update parameter_group orders-pg16: Parameters.work_mem 65536 -> 8192",
        "update instance orders: CopyTagsToSnapshot false -> true",
    ];
    assert_eq!(changes(&world.apply(LARGE).await), drift);
    assert_eq!(world.left(LARGE).await, [""; 0]);
}
