//! Each variable, written otherwise: the change that is expected, and then nothing.

use pgherd_engine::suite;

use crate::world::{Google, SMALL, WHOLE, with};

/// Applies the whole block, then the same with some arguments written otherwise, and checks what that changes.
async fn check(more: &[(&str, &str)], expected: &[&str]) {
    suite::flipped::<Google>(WHOLE, &with(WHOLE, more), expected).await;
}

/// The same change of the primary and its replica.
async fn check_both(more: &[(&str, &str)], change: &str) {
    let both = [format!("update instance orders: {change}"), format!("update replica orders-replica-1: {change}")];
    check(more, &both.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn instance_class() {
    check_both(&[("instance_class", "\"db-custom-4-16384\"")], "tier db-custom-2-7680 -> db-custom-4-16384").await;
}

#[tokio::test]
async fn storage() {
    check_both(&[("allocated_storage", "80")], "dataDiskSizeGb 50 -> 80").await;
    check_both(&[("max_allocated_storage", "200")], "storageAutoResizeLimit 100 -> 200").await;
}

#[tokio::test]
async fn multi_az_and_backups() {
    check(&[("multi_az", "false")], &["update instance orders: availabilityType REGIONAL -> ZONAL"]).await;
    check(
        &[("backup_retention_period", "3"), ("backup_window", "\"05:00-06:00\"")],
        &[
            "update instance orders: backupStartTime 02:30 -> 05:00",
            "update instance orders: retainedBackups 14 -> 3",
            "update instance orders: transactionLogRetentionDays 7 -> 3",
        ],
    )
    .await;
}

#[tokio::test]
async fn engine_version() {
    check(&[("engine_version", "\"17\"")], &["update instance orders: databaseVersion 16 -> 17"]).await;
}

/// Up the machine comes first, since the rest needs it; down it comes last.
#[tokio::test]
async fn edition_and_pool() {
    let plus = [
        ("gcp_edition", "\"ENTERPRISE_PLUS\""),
        ("instance_class", "\"db-perf-optimized-N-2\""),
        ("enable_proxy", "true"),
    ];
    let larger = with(SMALL, &[("backup_retention_period", "20")]);
    let plus = with(&larger, &plus);
    let up = [
        "update instance orders: connectionPoolingEnabled false -> true",
        "update instance orders: edition ENTERPRISE -> ENTERPRISE_PLUS",
        "update instance orders: poolFlags.max_client_connections (none) -> 100",
        "update instance orders: poolFlags.max_pool_size (none) -> 20",
        "update instance orders: poolFlags.pool_mode (none) -> transaction",
        "update instance orders: tier db-custom-1-3840 -> db-perf-optimized-N-2",
        "update instance orders: transactionLogRetentionDays 7 -> 20",
        "update secret orders-credentials: port 5432 -> 6432",
    ];
    suite::flipped::<Google>(&larger, &plus, &up).await;
    let down = [
        "update instance orders: connectionPoolingEnabled true -> false",
        "update instance orders: edition ENTERPRISE_PLUS -> ENTERPRISE",
        "update instance orders: tier db-perf-optimized-N-2 -> db-custom-1-3840",
        "update instance orders: transactionLogRetentionDays 20 -> 7",
        "update secret orders-credentials: port 6432 -> 5432",
    ];
    suite::flipped::<Google>(&plus, &larger, &down).await;
}

#[tokio::test]
async fn names_within() {
    check(
        &[("database_name", "\"other\"")],
        &["create database orders/other", "update secret orders-credentials: dbname shop -> other"],
    )
    .await;
    check(
        &[("master_username", "\"other\"")],
        &["create user orders/other", "update secret orders-credentials: username app -> other"],
    )
    .await;
    let written = [("master_password", "\"a-long-password-of-one\"")];
    check(&written, &["update secret orders-credentials: password (secret) -> (secret)"]).await;
}

#[tokio::test]
async fn who_may_come_in() {
    // Private addresses never come over the internet.
    check_both(
        &[("allowed_cidr_blocks", "[\"192.0.2.0/24\"]")],
        "authorizedNetworks [198.51.100.7/32] -> [192.0.2.0/24]",
    )
    .await;
    let both = |name: &str| {
        [
            format!("update {name}: authorizedNetworks [198.51.100.7/32] -> []"),
            format!("update {name}: ipv4Enabled true -> false"),
        ]
    };
    let host = "update secret orders-credentials: host 203.0.113.6 -> 10.20.0.6".to_owned();
    let expected = [both("instance orders").to_vec(), vec![host], both("replica orders-replica-1").to_vec()].concat();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("publicly_accessible", "false")], &expected).await;
}

#[tokio::test]
async fn windows_and_protection() {
    check(
        &[
            ("maintenance_window", "\"mon:05:00-mon:06:00\""),
            ("enable_deletion_protection", "true"),
            ("enable_performance_insights", "false"),
        ],
        &[
            "update instance orders: deletionProtectionEnabled false -> true",
            "update instance orders: maintenanceWindow sunday 04:00 -> monday 05:00",
            "update instance orders: queryInsightsEnabled true -> false",
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters() {
    let other = "[{ name = \"work_mem\", value = \"32MB\" }, { name = \"track_io_timing\", value = \"on\" }]";
    let changes = |name: &str| {
        [
            format!("update {name}: databaseFlags.cloudsql.iam_authentication (none) -> on"),
            format!("update {name}: databaseFlags.jit off -> (none)"),
            format!("update {name}: databaseFlags.track_io_timing (none) -> on"),
            format!("update {name}: databaseFlags.work_mem 16384 -> 32768"),
        ]
    };
    let both = [changes("instance orders"), changes("replica orders-replica-1")].concat();
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    check(&[("parameters", other), ("iam_database_authentication_enabled", "true")], &both).await;
}

#[tokio::test]
async fn replicas() {
    check(
        &[("create_read_replica", "false"), ("read_replica_count", "")],
        &["delete alert orders-replica-lag", "delete replica orders-replica-1"],
    )
    .await;
    check(&[("read_replica_count", "2")], &["create replica orders-replica-2"]).await;
}

#[tokio::test]
async fn alarms() {
    let other = "notificationChannels [projects/learning/notificationChannels/1] -> [(known after apply: channel orders/ann@example.com.name)]";
    let told = |about: &str| format!("update alert orders-{about}: {other}");
    let expected = [
        "create channel orders/ann@example.com".to_owned(),
        told("cpu"),
        "update alert orders-cpu: thresholdValue 0.8 -> 0.7".to_owned(),
        told("replica-lag"),
        told("storage"),
        "delete channel orders/ops@example.com".to_owned(),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("alarm_targets", "[\"ann@example.com\"]"), ("alarms", "{ cpu_percent = 70 }")], &expected).await;
}

#[tokio::test]
async fn tags() {
    let changes = |name: &str| {
        [
            format!("update {name}: userLabels.owner ann -> (none)"),
            format!("update {name}: userLabels.pgherd_keys_0 owner -> team"),
            format!("update {name}: userLabels.team (none) -> shop"),
        ]
    };
    let all = ["instance orders", "secret orders-credentials", "replica orders-replica-1"].map(changes).concat();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    check(&[("tags", "{ Team = \"Shop\" }")], &all).await;
}
