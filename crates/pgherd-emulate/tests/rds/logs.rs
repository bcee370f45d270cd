//! The log of a server, read piece by piece.

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
    check(&mut world, &next, "2026-01-01 01:01:00 UTC:LOG:  DB instance restarted\n|1|false");
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
