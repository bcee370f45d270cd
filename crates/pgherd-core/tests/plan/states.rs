//! What a resource is doing decides what is done to it, and the time decides when.

use std::slice::from_ref;

use insta::assert_snapshot;
use pgherd_core::plan::{self, Timing};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::Value;

use super::{KINDS, live, planned, printed, saturday, waits_for_restart, wanted};

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

/// No change of anything repairs that.
#[test]
fn whose_deletion_failed_stops_every_plan_to_have_it() {
    for size in ["small", "large"] {
        let failed = Status::Failed(format!("{}: the disk is full", Status::HALF_DELETED));
        assert_eq!(
            print(failed, size),
            "error[broken]: database dev is broken: its deletion failed: the disk is full\n  \
             help: `pgherd destroy` goes on with it, and `pgherd apply` makes a new one then\n\
             Nothing can be applied: 1 error."
        );
    }
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
      help: `pgherd apply` waits until it is not, and then does what is left
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
      help: `pgherd apply` waits until it is not, and then does what is left
    1 created, 0 changes, 0 destroyed. 1 now. Nothing of it can be applied: 1 error.
    ");
}

#[test]
fn what_is_wanted_and_on_its_way_out_is_waited_for() {
    assert_snapshot!(print(Status::Busy(Status::DELETING.to_owned()), "small"), @r"
    error[busy]: database dev is busy: deleting
      help: `pgherd apply` waits until it is not, and then does what is left
    Nothing can be applied: 1 error.
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
