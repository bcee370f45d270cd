//! Each variable, written otherwise: the change that is expected, and then nothing.

use pgherd_engine::suite;

use crate::world::{Cloudy, PRIVATE, SMALL, WHOLE, with};

/// Applies the whole block, then the same with some arguments written otherwise, and checks what that changes.
async fn check(more: &[(&str, &str)], expected: &[&str]) {
    suite::flipped::<Cloudy>(WHOLE, &with(WHOLE, more), expected).await;
}

#[tokio::test]
async fn size_of_both() {
    let expected = [
        "update server orders: sku Standard_D2ds_v5 -> Standard_D4ds_v5",
        "update replica orders-replica-1: sku Standard_D2ds_v5 -> Standard_D4ds_v5",
    ];
    check(&[("instance_class", "\"GP_Standard_D4ds_v5\"")], &expected).await;
}

#[tokio::test]
async fn storage_goes_up_the_ladder() {
    let expected =
        ["update server orders: storageSizeGB 64 -> 128", "update replica orders-replica-1: storageSizeGB 64 -> 128"];
    check(&[("allocated_storage", "100")], &expected).await;
}

/// Storage whose speed is bought begins with the least there is.
#[tokio::test]
async fn provisioned_storage() {
    let alone = [("create_read_replica", "false"), ("read_replica_count", ""), ("max_allocated_storage", "")];
    let bought = with(&with(WHOLE, &alone), &[("storage_type", "\"PremiumV2_LRS\"")]);
    let faster = with(&bought, &[("storage_iops", "4000"), ("allocated_storage", "70")]);
    let expected = ["update server orders: iops 3000 -> 4000", "update server orders: storageSizeGB 64 -> 70"];
    suite::flipped::<Cloudy>(&bought, &faster, &expected).await;
}

#[tokio::test]
async fn multi_az_and_backups() {
    check(
        &[("multi_az", "false"), ("backup_retention_period", "9"), ("maintenance_window", "\"mon:05:30-mon:06:30\"")],
        &[
            "update server orders: backupRetentionDays 14 -> 9",
            "update server orders: highAvailability ZoneRedundant -> Disabled",
            "update server orders: maintenanceWindow sunday 04:00 -> monday 05:30",
        ],
    )
    .await;
}

/// A standby goes before the machine gets smaller, and comes after it got larger.
#[tokio::test]
async fn a_smaller_machine_and_back() {
    let alone = with(
        WHOLE,
        &[("create_read_replica", "false"), ("read_replica_count", ""), ("enable_performance_insights", "false")],
    );
    let small = with(&alone, &[("instance_class", "\"B_Standard_B2s\""), ("multi_az", "false")]);
    let down = [
        "update server orders: highAvailability ZoneRedundant -> Disabled",
        "update server orders: sku Standard_D2ds_v5 -> Standard_B2s",
        "update server orders: tier GeneralPurpose -> Burstable",
    ];
    suite::flipped::<Cloudy>(&alone, &small, &down).await;
    let up = [
        "update server orders: highAvailability Disabled -> ZoneRedundant",
        "update server orders: sku Standard_B2s -> Standard_D2ds_v5",
        "update server orders: tier Burstable -> GeneralPurpose",
    ];
    suite::flipped::<Cloudy>(&small, &alone, &up).await;
}

#[tokio::test]
async fn engine_version() {
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    let newer = with(&alone, &[("engine_version", "\"17\"")]);
    suite::flipped::<Cloudy>(&alone, &newer, &["update server orders: version 16 -> 17"]).await;
}

/// What restarts waits for a restart, and what was taken out of the block has its default again.
#[tokio::test]
async fn parameters() {
    check(
        &[("parameters", "[{ name = \"max_connections\", value = \"300\" }, { name = \"jit\", value = \"off\" }]")],
        &[
            "update settings orders: values.jit on -> off",
            "update settings orders: values.max_connections 200 -> 300 at a restart",
            "update settings orders: values.work_mem 16384 -> (none)",
            "update settings orders-replica-1: values.jit on -> off",
            "update settings orders-replica-1: values.max_connections 200 -> 300 at a restart",
            "update settings orders-replica-1: values.work_mem 16384 -> (none)",
            "update alert orders-connections: threshold 148 -> 228",
        ],
    )
    .await;
}

#[tokio::test]
async fn firewall_and_tags() {
    check(
        &[("allowed_cidr_blocks", "[\"192.0.2.0/24\"]"), ("tags", "{ Team = \"shop\" }")],
        &[
            "update server orders: tags.Owner Ann -> (none)",
            "update server orders: tags.Team (none) -> shop",
            "update server orders: tags.pgherd_keys_0 Owner -> Team",
            "update firewall orders: ranges [198.51.100.7-198.51.100.7] -> [192.0.2.0-192.0.2.255]",
            "update replica orders-replica-1: tags.Owner Ann -> (none)",
            "update replica orders-replica-1: tags.Team (none) -> shop",
            "update replica orders-replica-1: tags.pgherd_keys_0 Owner -> Team",
            "update firewall orders-replica-1: ranges [198.51.100.7-198.51.100.7] -> [192.0.2.0-192.0.2.255]",
        ],
    )
    .await;
}

/// A lock keeps what is within a server, too: it is lifted for a moment, and there again.
#[tokio::test]
async fn a_lock_and_rules_behind_it() {
    let locked = with(SMALL, &[("enable_deletion_protection", "true")]);
    suite::flipped::<Cloudy>(SMALL, &locked, &["create lock orders"]).await;
    let other = with(&locked, &[("allowed_cidr_blocks", "[\"192.0.2.0/24\"]")]);
    let expected = ["update firewall orders: ranges [198.51.100.7-198.51.100.7] -> [192.0.2.0-192.0.2.255]"];
    suite::flipped::<Cloudy>(&locked, &other, &expected).await;
    suite::flipped::<Cloudy>(&locked, SMALL, &["delete lock orders"]).await;
}

#[tokio::test]
async fn the_pooler() {
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    let pooled = with(&alone, &[("enable_proxy", "true"), ("proxy_config", "{ pool_mode = \"session\" }")]);
    let on = [
        "update settings orders: values.pgbouncer.default_pool_size (none) -> 20",
        "update settings orders: values.pgbouncer.enabled false -> true",
        "update settings orders: values.pgbouncer.max_client_conn (none) -> 100",
        "update settings orders: values.pgbouncer.pool_mode (none) -> session",
        "update secret orders-credentials: port 5432 -> 6432",
    ];
    suite::flipped::<Cloudy>(&alone, &pooled, &on).await;
    let off = [
        "update settings orders: values.pgbouncer.default_pool_size 20 -> (none)",
        "update settings orders: values.pgbouncer.enabled true -> (none)",
        "update settings orders: values.pgbouncer.max_client_conn 100 -> (none)",
        "update settings orders: values.pgbouncer.pool_mode session -> (none)",
        "update secret orders-credentials: port 6432 -> 5432",
    ];
    suite::flipped::<Cloudy>(&pooled, &alone, &off).await;
}

#[tokio::test]
async fn replicas_come_and_go() {
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    let gone = ["delete alert orders-replica-1-lag", "delete replica orders-replica-1"];
    suite::changes_of_kinds::<Cloudy>(WHOLE, &alone, &gone).await;
    let two = with(WHOLE, &[("read_replica_count", "2")]);
    let of = |kind: &str, name: &str| format!("create {kind} {name}");
    let made = [
        ("alert", "orders-replica-2-lag"),
        ("firewall", "orders-replica-2"),
        ("replica", "orders-replica-2"),
        ("settings", "orders-replica-2"),
    ];
    let made = made.map(|(kind, name)| of(kind, name));
    suite::changes_of_kinds::<Cloudy>(WHOLE, &two, &made.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn alarms_and_who_is_told() {
    check(
        &[("alarms", "{ cpu_percent = 70 }"), ("alarm_targets", "[\"ann@example.com\"]")],
        &[
            "update action_group orders-alarms: addresses [ops@example.com] -> [ann@example.com]",
            "update alert orders-cpu: threshold 80 -> 70",
        ],
    )
    .await;
}

#[tokio::test]
async fn the_network_of_a_private_server() {
    let text = with(PRIVATE, &[("enable_performance_insights", "true")]);
    suite::changes_of_kinds::<Cloudy>(PRIVATE, &text, &["update settings orders"]).await;
}
