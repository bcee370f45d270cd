//! Each variable of an instance, written otherwise: the change that is expected, and then nothing.

use pgherd_engine::suite;

use crate::target::{Servers, Whole};
use crate::world::{LARGE, SMALL, World, changes, with};

/// Applies the large block, then the same with some arguments written otherwise, and checks what that changes.
async fn check(more: &[(&str, &str)], expected: Vec<String>) {
    assert!(!expected.is_empty(), "{more:?} is no flip");
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    suite::flipped::<Servers>(LARGE, &with(LARGE, more), &expected).await;
}

const SERVERS: [&str; 3] = ["instance orders", "replica orders-r1", "replica orders-r2"];

/// Fields of the instance and of both replicas.
fn each(changes: &[&str]) -> Vec<String> {
    SERVERS.iter().flat_map(|id| changes.iter().map(move |change| format!("update {id}: {change}"))).collect()
}

/// A field of the instance and of both replicas.
fn all(change: &str) -> Vec<String> {
    each(&[change])
}

/// One step.
fn one(step: &str) -> Vec<String> {
    vec![step.to_owned()]
}

const INSTANCE_CLASS: &str = "DBInstanceClass db.r5.large -> db.r5.xlarge in the window";
const MAINTENANCE: &str = "PreferredMaintenanceWindow sat:04:00-sat:05:00 -> sun:05:00-sun:06:00";
const ROLE: &str =
    "MonitoringRoleArn arn:aws:iam::123456789012:role/monitoring -> arn:aws:iam::123456789012:role/other";
const LOGS: &str = "EnableCloudwatchLogsExports [postgresql, upgrade] -> [upgrade]";
const BUFFERS: &str = "[{ name = \"shared_buffers\", value = \"256MB\" }]";
const MORE_MEMORY: &str =
    "[{ name = \"shared_buffers\", value = \"256MB\" }, { name = \"work_mem\", value = \"16MB\" }]";

flips! {
    instance_class {
        [("instance_class", "\"db.r5.xlarge\"")] => all(INSTANCE_CLASS);
    }
    allocated_storage {
        [("allocated_storage", "600")] => all("AllocatedStorage 500 -> 600");
    }
    max_allocated_storage {
        [("max_allocated_storage", "2000")] => all("MaxAllocatedStorage 1000 -> 2000");
        [("max_allocated_storage", "")] => all("MaxAllocatedStorage 1000 -> (none)");
    }
    storage_figures {
        [("storage_iops", "20000")] => all("Iops 16000 -> 20000");
        [("storage_throughput", "2000")] => all("StorageThroughput 1000 -> 2000");
    }
    figures_that_are_taken_out_become_what_is_given {
        [("storage_iops", ""), ("storage_throughput", "")]
            => each(&["Iops 16000 -> (none)", "StorageThroughput 1000 -> (none)"]);
    }
    multi_az {
        [("multi_az", "false")] => one("update instance orders: MultiAZ true -> false");
    }
    backup_retention_period {
        [("backup_retention_period", "7")] => one("update instance orders: BackupRetentionPeriod 14 -> 7");
    }
    windows {
        [("backup_window", "\"01:00-02:00\"")]
            => one("update instance orders: PreferredBackupWindow 02:00-03:00 -> 01:00-02:00");
        [("maintenance_window", "\"sun:05:00-sun:06:00\"")] => all(MAINTENANCE);
    }
    enable_deletion_protection {
        [("enable_deletion_protection", "true")] => one("update instance orders: DeletionProtection false -> true");
    }
    copy_tags_to_snapshot {
        [("copy_tags_to_snapshot", "false")] => all("CopyTagsToSnapshot true -> false");
    }
    iam_database_authentication_enabled {
        [("iam_database_authentication_enabled", "false")] => all("EnableIAMDatabaseAuthentication true -> false");
    }
    publicly_accessible {
        [("publicly_accessible", "true")] => all("PubliclyAccessible false -> true");
    }
    query_analysis {
        [("performance_insights_retention_period", "62")] => all("PerformanceInsightsRetentionPeriod 31 -> 62");
        [("enable_performance_insights", "false")] => all("EnablePerformanceInsights true -> false");
    }
    monitoring {
        [("monitoring_interval", "60")] => all("MonitoringInterval 30 -> 60");
        [("monitoring_role_arn", "\"arn:aws:iam::123456789012:role/other\"")] => all(ROLE);
        [("monitoring_interval", "0"), ("monitoring_role_arn", "")] => all("MonitoringInterval 30 -> 0");
    }
    logs {
        [("enabled_cloudwatch_logs_exports", "[\"upgrade\"]")] => all(LOGS);
    }
    tags {
        [("tags", "{ Team = \"shop\" }")]
            => each(&["Tags.Owner ann -> (none)", "Tags.Team (none) -> shop", "Tags.pgherd:tags Owner -> Team"]);
    }
    parameters {
        [("parameters", MORE_MEMORY)] => one("update parameter_group orders-pg16: Parameters.work_mem 8192 -> 16384");
        [("parameters", BUFFERS)] => one("update parameter_group orders-pg16: Parameters.work_mem 8192 -> (none)");
    }
    read_replica_count {
        [("read_replica_count", "3")] => one("create replica orders-r3");
    }
}

const PORT: (&str, &str) = ("port", "5433");
const SUBNETS: (&str, &str) = ("subnet_ids", "[\"subnet-a\", \"subnet-b\"]");
const FIXED: [(&str, &str); 3] =
    [("database_name", "\"other\""), ("master_username", "\"other\""), ("storage_encrypted", "false")];

const BACKUP: (&str, &str) = ("enable_backup", "false");
const WATCHED: (&str, &str) = ("enable_enhanced_monitoring", "true");
const ENVIRONMENT: (&str, &str) = ("environment", "\"staging\"");

/// What the tests below write otherwise.
pub const OTHERWISE: [(&str, &str); 8] = [PORT, SUBNETS, FIXED[0], FIXED[1], FIXED[2], BACKUP, WATCHED, ENVIRONMENT];

/// What says of something else that it is on or off, or what it is called.
#[tokio::test]
async fn switches_and_names_of_others() {
    let off = ["update instance orders: BackupRetentionPeriod 7 -> 0 in the window"];
    suite::flipped::<Servers>(SMALL, &with(SMALL, &[BACKUP]), &off).await;
    let on = ["create role pgherd-orders-eu-central-1-monitoring", "update instance orders"];
    suite::changes_of_kinds::<Whole>(SMALL, &with(SMALL, &[WATCHED]), &on).await;
    let named = [
        "update instance orders: Tags.Environment (none) -> staging",
        "update instance orders: Tags.pgherd:tags (none) -> Environment",
    ];
    suite::flipped::<Servers>(SMALL, &with(SMALL, &[ENVIRONMENT]), &named).await;
}

#[tokio::test]
async fn port() {
    let mut world = World::with(LARGE).await;
    let block = with(LARGE, &[PORT]);
    let refused = world.plan(&block).await.plan.diagnostics;
    assert_eq!(refused.iter().map(|told| told.code).collect::<Vec<_>>(), ["port-restarts-now"]);
    world.accepted.insert("port-restarts-now".to_owned());
    assert_eq!(changes(&world.apply(&block).await), all("Port 5432 -> 5433"));
    assert_eq!(world.left(&block).await, [""; 0]);
}

#[tokio::test]
async fn subnet_ids() {
    let two = with(LARGE, &[SUBNETS]);
    let world = World::with(&two).await;
    let change = "update subnet_group orders: SubnetIds [subnet-a, subnet-b] -> [subnet-a, subnet-b, subnet-c]";
    assert_eq!(changes(&world.apply(LARGE).await), [change]);
    assert_eq!(world.left(LARGE).await, [""; 0]);
}

/// What is fixed at creation is an error that says how to get there.
#[tokio::test]
async fn what_is_fixed_is_refused() {
    let world = World::with(LARGE).await;
    for (name, value) in FIXED {
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
