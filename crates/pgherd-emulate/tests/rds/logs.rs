//! The log of a server, read piece by piece.

use pgherd_emulate::rds::backed::Backed;
use pgherd_emulate::wire::{Body, Fields, Said};
use serde_json::json;

use super::{World, changed};

const FILE: &[(&str, &str)] =
    &[("DBInstanceIdentifier", "orders"), ("LogFileName", "error/postgresql.log.2026-01-01-00")];

#[track_caller]
fn check(world: &mut World, more: &[(&str, &str)], expected: &str) {
    let told = world.ask("DownloadDBLogFilePortion", &changed(FILE, more));
    let told = told.map(|told| {
        ["LogFileData", "Marker", "AdditionalDataPending"]
            .map(|field| super::inside(&told, field).unwrap_or_default())
            .join("|")
    });
    assert_eq!(told.unwrap_or_else(|code| code), expected);
}

#[test]
fn a_log_is_read_on_from_where_one_was() {
    let mut world = World::with_orders(&[]);
    check(
        &mut world,
        &[("Marker", "0"), ("NumberOfLines", "1")],
        "2026-01-01 00:05:00 UTC:LOG:  DB instance created\n|1|true",
    );
    check(&mut world, &[("Marker", "1")], "2026-01-01 00:06:30 UTC:LOG:  Finished DB Instance backup\n|2|false");
    check(&mut world, &[("Marker", "2")], "|2|false");
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders")]);
    world.pass(60);
    check(&mut world, &[("Marker", "2")], "|2|false");
    let next = [("LogFileName", "error/postgresql.log.2026-01-01-01"), ("Marker", "0")];
    check(&mut world, &next, "2026-01-01 01:01:00 UTC:LOG:  DB instance restarted\n|3|false");
}

#[test]
fn without_a_marker_the_last_lines_are_told() {
    check(
        &mut World::with_orders(&[]),
        &[("NumberOfLines", "1")],
        "2026-01-01 00:06:30 UTC:LOG:  Finished DB Instance backup\n|2|false",
    );
}

#[test]
fn what_cannot_be_read() {
    let mut world = World::with_orders(&[]);
    check(&mut world, &[("LogFileName", "none")], "DBLogFileNotFoundFault");
    check(&mut world, &[("DBInstanceIdentifier", "none")], "DBInstanceNotFound");
    check(&mut world, &[("NumberOfLines", "10001")], "InvalidParameterValue");
    assert!(
        world
            .ok("DescribeDBLogFiles", &[("DBInstanceIdentifier", "orders")])
            .contains("<LogFileName>error/postgresql.log.2026-01-01-00<")
    );
}

const GROUP: &str = "/aws/rds/instance/orders/postgresql";

/// The last lines that stand in the group of the log, at most two.
fn exported(world: &mut World) -> Vec<String> {
    let sent = json!({ "logGroupName": GROUP, "logStreamName": "orders.0", "limit": 2 });
    let body = Body::Fields(Fields::of(sent).unwrap());
    let told = world.emulation.tamper("logs", "us-east-1", "GetLogEvents", &body, world.real);
    let Ok(Said::Fields(told)) = told else { panic!("no stream") };
    let lines = told["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned());
    lines.collect()
}

#[test]
fn a_line_is_exported_once_even_if_lines_before_it_are_past_their_retention() {
    let mut world = World::with_orders(&[("EnableCloudwatchLogsExports.member.1", "postgresql")]);
    assert_eq!(exported(&mut world).len(), 2);
    world.json("logs", "PutRetentionPolicy", json!({ "logGroupName": GROUP, "retentionInDays": 1 }));
    world.pass(25 * 3600);
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders")]);
    world.pass(60);
    for look in ["first", "second"] {
        assert_eq!(exported(&mut world), ["2026-01-02 02:01:00 UTC:LOG:  DB instance restarted"], "{look}");
    }
}

#[test]
fn of_very_many_lines_the_oldest_are_forgotten_and_the_newest_are_exported_and_where_one_was() {
    let mut world = World::with_orders(&[("EnableCloudwatchLogsExports.member.1", "postgresql")]);
    let server = world.field("DbiResourceId");
    let now = "2026-01-01T01:00:00Z".parse().unwrap();
    let said = |world: &mut World, lines: Vec<String>| {
        let region = world.emulation.region("us-east-1");
        region.instances.get_mut("orders").unwrap().backed.get_or_insert_with(Backed::default);
        region.said(&server, lines, now);
    };
    said(&mut world, (0..100_000).map(|line| format!("{line}\n")).collect());
    assert_eq!(exported(&mut world), ["99998", "99999"]);
    said(&mut world, vec!["one more\n".to_owned()]);
    assert_eq!(exported(&mut world), ["99999", "one more"]);
    let next = [("LogFileName", "error/postgresql.log.2026-01-01-01"), ("Marker", "100000")];
    check(&mut world, &next, "one more\n|100001|false");
}
