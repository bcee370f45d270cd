//! What a resource is doing decides what is done to it, and the time decides when.

use std::slice::from_ref;

use insta::assert_snapshot;
use pgherd_core::plan::{self, Timing};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::Value;

use super::{KINDS, live, map, planned, printed, saturday, waits_for_restart, wanted};

/// A database found in this state, with and without a difference.
fn print(status: Status, found: &str) -> String {
    let found = Observed { status, ..live("database", [("class", found.into())]) };
    printed(&planned(&[wanted("database", [("class", "small".into())])], &[found]))
}

#[test]
fn what_is_not_there_is_created() {
    assert_snapshot!(printed(&planned(&[wanted("database", [("class", "small".into())])], &[])), @r"
      + database dev  created   now
    1 created, 0 changes, 0 destroyed. 1 now.
    ");
}

#[test]
fn what_is_half_made_is_finished() {
    assert_snapshot!(print(Status::Incomplete("its template was not copied to the end".to_owned()), "small"), @r"
      + database dev  created   now
    warning[half-made]: database dev is half-made: its template was not copied to the end
      help: apply finishes it
    1 created, 0 changes, 0 destroyed. 1 now.
    ");
}

#[test]
fn half_made_without_a_fixed_field_is_no_refusal() {
    let found = Observed { status: Status::Incomplete("no database yet".to_owned()), ..live("database", []) };
    let plan = planned(&[wanted("database", [("dbname", "app".into())])], &[found]);
    assert!(!plan.is_refused(), "{}", printed(&plan));
}

#[test]
fn half_made_with_another_fixed_field_is_refused() {
    let found = Observed {
        status: Status::Incomplete("no role yet".to_owned()),
        ..live("database", [("dbname", "old".into())])
    };
    let plan = planned(&[wanted("database", [("dbname", "new".into())])], &[found]);
    assert!(plan.is_refused(), "{}", printed(&plan));
}

#[test]
fn what_is_broken_stops_a_plan_that_has_nothing_to_offer() {
    assert_snapshot!(print(Status::Failed("the disk is full".to_owned()), "small"), @r"
    error[broken]: database dev is broken: the disk is full
      help: `pgherd logs` says more; repair it, or restore a backup into a new database
    Nothing can be applied: 1 error.
    ");
}

#[test]
fn what_is_broken_may_be_repaired_by_a_change() {
    assert_snapshot!(print(Status::Failed("the disk is full".to_owned()), "large"), @r"
      ~ class  large -> small   Sun 04:00Z   failover ~60 s
    warning[broken]: database dev is broken: the disk is full
      help: its changes are tried all the same, since one may be the repair
    1 change, 0 destroyed. 0 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
}

#[test]
fn what_is_busy_but_right_is_only_mentioned() {
    assert_snapshot!(print(Status::Busy("backing-up".to_owned()), "small"), @r"
    warning[busy]: database dev is busy: backing-up
    No changes.
    ");
}

#[test]
fn what_is_busy_cannot_be_changed_now() {
    assert_snapshot!(print(Status::Busy("modifying".to_owned()), "large"), @r"
      ~ class  large -> small   Sun 04:00Z   failover ~60 s
    error[busy]: database dev is busy: modifying
      help: wait until it is available, then run this again
    1 change, 0 destroyed. 0 now, 1 at Sun 2026-11-22 04:00 UTC. Nothing of it can be applied: 1 error.
    ");
}

#[test]
fn nothing_can_be_built_on_what_is_busy() {
    let database = wanted("database", []);
    let replica = Resource { needs: vec![database.id.clone()], ..wanted("replica", []) };
    let busy = Observed { status: Status::Busy("creating".to_owned()), ..live("database", []) };
    assert_snapshot!(printed(&planned(&[database, replica], &[busy])), @r"
      + replica dev  created   now
    error[busy]: database dev is busy: creating
      help: wait until it is available, then run this again
    1 created, 0 changes, 0 destroyed. 1 now. Nothing of it can be applied: 1 error.
    ");
}

#[test]
fn a_stopped_database_is_compared_like_any_other() {
    assert_snapshot!(print(Status::Stopped, "large"), @r"
      ~ class  large -> small   Sun 04:00Z   failover ~60 s
    1 change, 0 destroyed. 0 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
}

/// One change of each impact, planned at a time.
fn when(now: &str, apply_now: bool) -> String {
    let want = wanted(
        "database",
        [
            ("class", "large".into()),
            ("engine", "b".into()),
            ("password", "b".into()),
            ("policy", "b".into()),
            ("port", 2.into()),
            ("version", "16".into()),
        ],
    );
    let found = live(
        "database",
        [
            ("class", "small".into()),
            ("engine", "a".into()),
            ("password", "a".into()),
            ("policy", "a".into()),
            ("port", 1.into()),
            ("version", "15.4".into()),
        ],
    );
    let timing = Timing { now: now.parse().expect("a time"), apply_now, ..saturday() };
    printed(&plan::plan(&KINDS, "database_dev", &[want], &[found], &timing))
}

#[test]
fn what_interrupts_service_waits_for_the_window() {
    assert_snapshot!(when("2026-11-21T22:00:00Z", false), @r"
      ~ class     small -> large   Sun 04:00Z   failover ~60 s
      ~ engine    a -> b           Sun 04:00Z   unknown impact
      ~ password  a -> b           now          new connections
      ~ policy    a -> b           now          no impact
      ~ port      1 -> 2           Sun 04:00Z   reconnect
      ~ version   15.4 -> 16       Sun 04:00Z   restart ~20 s
    6 changes, 0 destroyed. 2 now, 4 at Sun 2026-11-22 04:00 UTC.
    ");
}

#[test]
fn inside_of_the_window_nothing_waits() {
    assert_snapshot!(when("2026-11-22T04:59:59Z", false), @r"
      ~ class     small -> large   now   failover ~60 s
      ~ engine    a -> b           now   unknown impact
      ~ password  a -> b           now   new connections
      ~ policy    a -> b           now   no impact
      ~ port      1 -> 2           now   reconnect
      ~ version   15.4 -> 16       now   restart ~20 s
    6 changes, 0 destroyed. 6 now.
    ");
}

#[test]
fn with_apply_now_nothing_waits() {
    assert_eq!(when("2026-11-21T22:00:00Z", true), when("2026-11-22T04:00:00Z", false));
}

#[test]
fn what_was_accepted_and_waits_is_no_difference_until_it_shall_be_now() {
    let (want, found) = (wanted("database", [("port", 2.into())]), live("database", [("port", 2.into())]));
    let found = waits_for_restart(found, "port");
    assert_snapshot!(printed(&planned(from_ref(&want), from_ref(&found))), @"No changes.");
    let now = Timing { apply_now: true, ..saturday() };
    assert_snapshot!(printed(&plan::plan(&KINDS, "database_dev", &[want], &[found], &now)), @r"
      ~ port  2 (was waiting)   now   reconnect
    1 change, 0 destroyed. 1 now.
    ");
}

#[test]
fn an_orphan_is_deleted_and_shown() {
    let orphan = Observed { id: Id::new("replica", "dev-2"), ..live("replica", []) };
    let database = live("database", [("class", Value::from("small"))]);
    let plan = planned(&[wanted("database", [("class", "small".into())])], &[orphan, database]);
    assert_snapshot!(printed(&plan), @r"
      - replica dev-2  destroyed   now
    0 changes, 1 destroyed. 1 now.
    ");
}

#[test]
fn an_orphan_that_holds_data_is_kept_until_one_says_so() {
    assert_snapshot!(printed(&planned(&[], &[live("database", [])])), @r"
      - database dev  destroyed, with its data   now
    error[data-loss]: database dev holds data and is no longer wanted by database_dev
      help: put it back into the block to keep it; `pgherd destroy` deletes it with all else of the block
    0 changes, 1 destroyed. 1 now. Nothing of it can be applied: 1 error.
    ");
}

#[test]
fn an_orphan_that_is_protected_is_kept() {
    assert_snapshot!(printed(&planned(&[], &[Observed { protected: true, ..live("replica", []) }])), @r"
      - replica dev  destroyed   now
    error[deletion-protected]: replica dev is protected against deletion
      help: write enable_deletion_protection = false and apply that first
    0 changes, 1 destroyed. 1 now. Nothing of it can be applied: 1 error.
    ");
}

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

fn foreign(kind: &str) -> Observed {
    let status = Status::Foreign("it has no tag pgherd:block".to_owned());
    Observed { status, ..live(kind, [("class", "large".into()), ("dbname", "theirs".into())]) }
}

#[test]
fn what_is_not_ours_stops_the_plan_and_is_neither_compared_nor_changed() {
    let want = wanted("database", [("class", "small".into()), ("dbname", "ours".into())]);
    assert_snapshot!(printed(&planned(&[want], &[foreign("database")])), @r"
    error[not-ours]: database dev exists and is not pgherd's: it has no tag pgherd:block
      help: `pgherd adopt` takes it over; or give the block another name
    Nothing can be applied: 1 error.
    ");
}

#[test]
fn what_is_not_ours_is_no_orphan() {
    assert_snapshot!(printed(&planned(&[], &[foreign("database")])), @"No changes.");
}

#[test]
fn a_destroy_leaves_alone_what_is_not_ours() {
    let replica = Observed { needs: vec![Id::new("database", "dev")], ..live("replica", []) };
    let plan = plan::plan_destroy(&KINDS, "database_dev", &[foreign("database"), replica]);
    assert_snapshot!(printed(&plan), @r"
      - replica dev  destroyed   now
    warning[left-alone]: database dev is not pgherd's and is left alone: it has no tag pgherd:block
    0 changes, 1 destroyed. 1 now.
    ");
}

#[test]
fn what_outlives_its_database_is_made_and_changed_and_never_deleted() {
    let days = |days: i64| [("days", days.into())];
    assert_snapshot!(printed(&planned(&[wanted("log", days(30))], &[])), @r"
      + log dev  created   now
    1 created, 0 changes, 0 destroyed. 1 now.
    ");
    assert_snapshot!(printed(&planned(&[wanted("log", days(30))], &[live("log", days(7))])), @r"
      ~ days  7 -> 30   now   no impact
    1 change, 0 destroyed. 1 now.
    ");
    assert_snapshot!(printed(&planned(&[], &[live("log", days(7))])), @"No changes.");
    assert_snapshot!(printed(&plan::plan_destroy(&KINDS, "database_dev", &[live("log", days(7))])), @"No changes.");
}

#[test]
fn what_remains_is_told_unless_it_is_wanted_or_not_ours() {
    let (log, database) = (live("log", []), live("database", []));
    let second = Observed { id: Id::new("log", "dev-2"), ..live("log", []) };
    let theirs = Observed { id: Id::new("log", "dev-3"), ..foreign("log") };
    let observed = [theirs, second, database, log];
    let remaining = |desired: &[Resource]| {
        plan::remaining(&KINDS, desired, &observed).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(remaining(&[]), ["log dev", "log dev-2"]);
    assert_eq!(remaining(&[wanted("log", [])]), ["log dev-2"]);
}
