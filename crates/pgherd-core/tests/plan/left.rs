//! What pgherd leaves where it is: what is not its own, and what outlives its database.

use insta::assert_snapshot;
use pgherd_core::plan;
use pgherd_core::resource::{Id, Observed, Resource, Status};

use super::{KINDS, live, planned, printed, wanted};

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
