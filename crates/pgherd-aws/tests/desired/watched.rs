//! Alarms: who is watched, and at which figures.

use super::*;

/// The alarms of a block: name, metric, figure.
fn alarms(arguments: &str) -> String {
    let resources = resources(arguments);
    let alarms = resources.iter().filter(|resource| resource.id.kind == "alarm");
    let line = |alarm: &Resource| {
        let shown = |name: &str| alarm.props[name].to_string();
        let below = if shown("ComparisonOperator") == "LessThanThreshold" { "below" } else { "above" };
        format!("{}: {} {below} {}", alarm.id.name, shown("MetricName"), shown("Threshold"))
    };
    alarms.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn figures_that_are_written_are_kept() {
    insta::assert_snapshot!(alarms(
        r#"
        instance_class    = "db.r5.large"
        allocated_storage = 500
        alarms = { cpu_percent = 70, connections = 150, free_storage_percent = 20, read_latency_seconds = 0.5 }
        "#
    ), @r"
    database-cpu: CPUUtilization above 70
    database-connections: DatabaseConnections above 150
    database-storage: FreeStorageSpace below 107374182400
    database-read-latency: ReadLatency above 0.5
    ");
}

#[test]
fn connections_are_watched_at_four_fifths_of_what_there_can_be() {
    let figure = |arguments: &str| {
        alarms(arguments).lines().find_map(|line| Some(line.split_once("DatabaseConnections above ")?.1.to_owned()))
    };
    let of_class = figure("instance_class = \"db.r5.large\"");
    let of_parameter = figure("parameters = [{ name = \"max_connections\", value = \"200\" }]");
    assert_eq!((of_class.as_deref(), of_parameter.as_deref()), (Some("1343"), Some("160")));
}

/// 10 % of 20 GiB are 2 GiB, and 1 GiB of free storage is soon gone.
#[test]
fn replicas_are_watched_too_and_burstable_classes_for_credits() {
    insta::assert_snapshot!(alarms("name = \"orders\"\ncreate_read_replica = true\nalarms = { free_storage_percent = 1 }"), @r"
    orders-cpu: CPUUtilization above 80
    orders-connections: DatabaseConnections above 59
    orders-storage: FreeStorageSpace below 2147483648
    orders-read-latency: ReadLatency above 0.2
    orders-burst-credits: CPUCreditBalance below 20
    orders-r1-cpu: CPUUtilization above 80
    orders-r1-connections: DatabaseConnections above 59
    orders-r1-storage: FreeStorageSpace below 2147483648
    orders-r1-read-latency: ReadLatency above 0.2
    orders-r1-replica-lag: ReplicaLag above 90
    orders-r1-burst-credits: CPUCreditBalance below 20
    ");
}

#[test]
fn addresses_are_told_through_a_topic_of_ours_and_topics_directly() {
    let targets = "alarm_targets = [\"ann@example.org\", \"arn:aws:sns:eu-central-1:111122223333:pager\"]";
    insta::assert_snapshot!(
        field(targets, "alarm", "AlarmActions"),
        @"[(known after apply: topic database-alarms.TopicArn), arn:aws:sns:eu-central-1:111122223333:pager]"
    );
    insta::assert_snapshot!(field(targets, "topic", "Endpoints"), @"[ann@example.org]");
}
