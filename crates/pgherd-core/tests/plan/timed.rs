//! What a change costs and when, where neither the field alone nor the window tells.

use std::slice::from_ref;

use insta::assert_snapshot;
use pgherd_core::plan::{self, Timing};
use pgherd_core::value::Value;

use super::{KINDS, live, map, planned, printed, saturday, waits_for_restart, wanted};

/// Settings that need a restart and one that does not, and a change of the group they are in.
fn at_restart(now: &str, apply_now: bool) -> String {
    let settings = |connections: &str, memory: &str| {
        [("parameters", map([("max_connections", connections), ("work_mem", memory), ("rds.new", memory)]))]
    };
    let wants = [wanted("group", settings("200", "8MB")), wanted("database", [("group", "b".into())])];
    let found = [live("group", settings("100", "4MB")), live("database", [("group", "a".into())])];
    let timing = Timing { now: now.parse().expect("a time"), apply_now, ..saturday() };
    printed(&plan::plan(&KINDS, "database_dev", &wants, &found, &timing))
}

#[test]
fn what_only_a_restart_brings_waits_for_one_that_is_asked_for() {
    assert_snapshot!(at_restart("2026-11-21T22:00:00Z", false), @r"
      ~ database dev group                    a -> b       at restart   restart ~20 s
      ~ group dev parameters.max_connections  100 -> 200   at restart   restart ~20 s
      ~ group dev parameters.rds.new          4MB -> 8MB   now          no impact
      ~ group dev parameters.work_mem         4MB -> 8MB   now          no impact
    4 changes, 0 destroyed. 2 now, 2 at the next restart.
    ");
    assert_eq!(
        at_restart("2026-11-22T04:00:00Z", false),
        at_restart("2026-11-21T22:00:00Z", false),
        "the window restarts nothing"
    );
    assert_snapshot!(at_restart("2026-11-21T22:00:00Z", true), @r"
      ~ database dev group                    a -> b       now   restart ~20 s
      ~ group dev parameters.max_connections  100 -> 200   now   restart ~20 s
      ~ group dev parameters.rds.new          4MB -> 8MB   now   no impact
      ~ group dev parameters.work_mem         4MB -> 8MB   now   no impact
    4 changes, 0 destroyed. 4 now.
    ");
}

#[test]
fn what_waits_for_a_restart_is_done_when_it_shall_be_now() {
    let (want, found) = (wanted("database", [("group", "b".into())]), live("database", [("group", "b".into())]));
    let found = waits_for_restart(found, "group");
    assert_snapshot!(printed(&planned(from_ref(&want), from_ref(&found))), @"No changes.");
    let now = Timing { apply_now: true, ..saturday() };
    assert_snapshot!(printed(&plan::plan(&KINDS, "database_dev", &[want], &[found], &now)), @r"
      ~ group  b (was waiting)   now   restart ~20 s
    1 change, 0 destroyed. 1 now.
    ");
}

#[test]
fn what_the_target_does_at_once_is_said_to_be_now() {
    let (want, found) = (wanted("database", [("listener", 2.into())]), live("database", [("listener", 1.into())]));
    assert_snapshot!(printed(&planned(&[want], &[found])), @r"
      ~ listener  1 -> 2   now   restart ~20 s
    1 change, 0 destroyed. 1 now.
    ");
}

#[test]
fn an_impact_may_depend_on_what_becomes_what_and_on_what_else_there_is() {
    let print = |from: i64, to: i64, zone: &[(&str, Value)]| {
        let mut found = live("database", [("retention_days", from.into())]);
        found.props.extend(zone.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        printed(&planned(&[wanted("database", [("retention_days", to.into())])], &[found]))
    };
    assert_snapshot!(print(7, 14, &[]), @r"
      ~ retention_days  7 -> 14   now   no impact
    1 change, 0 destroyed. 1 now.
    ");
    assert_snapshot!(print(7, 0, &[]), @r"
      ~ retention_days  7 -> 0   Sun 04:00Z   restart ~20 s
    1 change, 0 destroyed. 0 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
    assert_snapshot!(print(0, 7, &[("zone", "b".into())]), @r"
      ~ retention_days  0 -> 7   Sun 04:00Z   failover ~60 s
    1 change, 0 destroyed. 0 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
}

/// It waits because it interrupts; what it would change from is told by nobody any more.
#[test]
fn what_waits_has_an_unknown_impact_where_that_depends_on_what_becomes_what() {
    let (want, found) =
        (wanted("database", [("retention_days", 7.into())]), live("database", [("retention_days", 7.into())]));
    let found = waits_for_restart(found, "retention_days");
    let now = Timing { apply_now: true, ..saturday() };
    assert_snapshot!(printed(&plan::plan(&KINDS, "database_dev", &[want], &[found], &now)), @r"
      ~ retention_days  7 (was waiting)   now   unknown impact
    1 change, 0 destroyed. 1 now.
    ");
}
