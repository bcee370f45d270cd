//! Each variable, written otherwise: the change that is expected, and then nothing.

use pgherd_engine::suite;

use crate::world::{Ocean, WHOLE, with};

/// Applies the whole block, then the same with some arguments written otherwise, and checks what that changes.
async fn check(more: &[(&str, &str)], expected: &[&str]) {
    suite::flipped::<Ocean>(WHOLE, &with(WHOLE, more), expected).await;
}

#[tokio::test]
async fn instance_class() {
    check(
        &[("instance_class", "\"gd-2vcpu-8gb\"")],
        &[
            "update cluster orders: size db-s-2vcpu-4gb -> gd-2vcpu-8gb",
            "update replica orders-r1: size db-s-2vcpu-4gb -> gd-2vcpu-8gb",
        ],
    )
    .await;
}

#[tokio::test]
async fn storage() {
    check(
        &[("allocated_storage", "80")],
        &[
            "update cluster orders: storage_size_mib 51200 -> 81920",
            "update replica orders-r1: storage_size_mib 51200 -> 81920",
        ],
    )
    .await;
    check(&[("max_allocated_storage", "")], &["update cluster orders: autoscale by 10 GiB at 80 % -> off"]).await;
}

#[tokio::test]
async fn multi_az() {
    check(&[("multi_az", "false")], &["update cluster orders: num_nodes 2 -> 1"]).await;
}

#[tokio::test]
async fn engine_version() {
    check(&[("engine_version", "\"17\"")], &["update cluster orders: version 16 -> 17"]).await;
}

#[tokio::test]
async fn do_region() {
    // Replicas stay where they are.
    let alone = [("create_read_replica", "false"), ("read_replica_count", "")];
    let before = with(WHOLE, &alone);
    let after = with(&before, &[("do_region", "\"fra1\"")]);
    suite::flipped::<Ocean>(&before, &after, &["update cluster orders: region nyc3 -> fra1"]).await;
}

#[tokio::test]
async fn names_within() {
    check(
        &[("database_name", "\"other\"")],
        &[
            // The secret has the pool, which is a database of its own name.
            "create database orders/other",
            "update pool orders-pool: db shop -> other",
        ],
    )
    .await;
    check(
        &[("master_username", "\"other\"")],
        &[
            "create user orders/other",
            "update pool orders-pool: user app -> other",
            "update secret orders: username app -> other",
        ],
    )
    .await;
}

#[tokio::test]
async fn who_may_come_in() {
    let both = |to: &str| {
        ["orders", "orders-r1"].map(|name| format!("update firewall {name}: rules [10.0.0.0/8, 198.51.100.7] -> {to}"))
    };
    let expected = both("[192.0.2.0/24]");
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("allowed_cidr_blocks", "[\"192.0.2.0/24\"]")], &expected).await;
    // Nobody, rather than everybody as an empty list would be.
    let expected = both("[127.0.0.1]");
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("allowed_cidr_blocks", "[]")], &expected).await;
}

#[tokio::test]
async fn the_way_in() {
    check(
        &[("publicly_accessible", "true")],
        &["update secret orders: host private-orders-do-user-1-0.db.ondigitalocean.com -> orders-do-user-1-0.db.ondigitalocean.com"],
    )
    .await;
}

#[tokio::test]
async fn windows() {
    check(
        &[("backup_window", "\"05:00-06:00\"")],
        &["update config orders: config.backup_hour 2 -> 5", "update config orders: config.backup_minute 30 -> 0"],
    )
    .await;
    check(
        &[("maintenance_window", "\"sun:05:15-sun:06:15\"")],
        &["update cluster orders: maintenance_window saturday 04:00 -> sunday 05:15"],
    )
    .await;
}

#[tokio::test]
async fn parameters() {
    let two = "[{ name = \"work_mem\", value = \"32MB\" }, { name = \"jit\", value = \"on\" }, { name = \"track_io_timing\", value = \"on\" }]";
    check(
        &[("parameters", two)],
        &[
            "update config orders: config.jit false -> true",
            "update config orders: config.track_io_timing (none) -> on",
            "update config orders: config.work_mem 16 -> 32",
        ],
    )
    .await;
    // DigitalOcean takes nothing back.
    check(&[("parameters", "[{ name = \"work_mem\", value = \"16MB\" }]")], &[]).await;
}

#[tokio::test]
async fn replicas() {
    check(&[("create_read_replica", "false"), ("read_replica_count", "")], &["delete replica orders-r1"]).await;
    check(&[("read_replica_count", "2")], &["create replica orders-r2", "create firewall orders-r2"]).await;
}

#[tokio::test]
async fn pool() {
    check(
        &[("enable_proxy", "")],
        &[
            "update secret orders: dbname orders-pool -> shop",
            "update secret orders: port 25061 -> 25060",
            "delete pool orders-pool",
        ],
    )
    .await;
    check(
        &[("proxy_config", "{ pool_mode = \"session\", default_pool_size = 10 }")],
        &["update pool orders-pool: mode transaction -> session", "update pool orders-pool: size 20 -> 10"],
    )
    .await;
}

#[tokio::test]
async fn alarms() {
    check(
        &[("alarm_targets", "[\"ann@example.com\"]")],
        &[
            "update alert orders-cpu: emails [ops@example.com] -> [ann@example.com]",
            "update alert orders-storage: emails [ops@example.com] -> [ann@example.com]",
        ],
    )
    .await;
    check(&[("alarm_targets", "[]")], &["delete alert orders-cpu", "delete alert orders-storage"]).await;
}

#[tokio::test]
async fn tags() {
    check(
        &[("tags", "{ Team = \"shop\" }")],
        &[
            "update cluster orders: tags.Owner ann -> (none)",
            "update cluster orders: tags.Team (none) -> shop",
            "update cluster orders: tags.pgherd:tags Owner -> Team",
        ],
    )
    .await;
    check(&[("enable_deletion_protection", "true")], &["update cluster orders: tags.pgherd:protected (none) -> yes"])
        .await;
}
