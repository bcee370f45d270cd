//! When a backup is due.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{Backup, BackupKind, Due, Failed, Schedule, due, slot_before};
use pgherd_core::window::Window;
use proptest::prelude::*;

use crate::herd::{at, backup, hours};

fn schedule(name: &str, window: &str) -> Schedule {
    Schedule { window: Window::parse_daily(window).expect("a window"), retention_days: 7, name: name.to_owned() }
}

fn taken(text: &str) -> Backup {
    Backup { taken_at: at(text), ..backup("daily", 1, 1, 1, at(text)) }
}

#[track_caller]
fn check(backups: &[Backup], now: &str, expected: Due) {
    assert_eq!(due(&schedule("orders", "03:00-03:01"), backups, None, at(now)), expected);
}

#[test]
fn the_first_one_at_once() {
    check(&[], "2026-11-20T15:00:00Z", Due::Now);
}

#[test]
fn then_once_a_day() {
    let backups = [taken("2026-11-20T15:00:00Z")];
    let Due::At(next) = due(&schedule("orders", "03:00-03:01"), &backups, None, at("2026-11-20T15:00:01Z")) else {
        panic!("not due")
    };
    assert!(at("2026-11-21T03:00:00Z") <= next && next < at("2026-11-21T03:00:30Z"), "{next}");
    check(&backups, "2026-11-21T03:00:30Z", Due::Now);
}

#[test]
fn a_missed_one_as_soon_as_possible() {
    check(&[taken("2026-11-20T03:00:40Z")], "2026-11-21T17:00:00Z", Due::Now);
    check(&[taken("2026-11-20T03:00:40Z")], "2027-11-21T17:00:00Z", Due::Now);
}

#[test]
fn manual_and_damaged_ones_and_ones_from_the_future_do_not_count() {
    let now = "2026-11-20T15:00:00Z";
    check(&[Backup { kind: BackupKind::Manual, ..taken(now) }], now, Due::Now);
    check(&[Backup { kind: BackupKind::Final, ..taken(now) }], now, Due::Now);
    check(&[Backup { damaged: true, ..taken(now) }], now, Due::Now);
    check(&[taken("2027-01-01T03:00:00Z")], now, Due::Now);
}

#[test]
fn none_when_they_are_off() {
    let off = Schedule { retention_days: 0, ..schedule("orders", "03:00-04:00") };
    assert_eq!(due(&off, &[], None, at("2026-11-20T15:00:00Z")), Due::Off);
}

#[test]
fn after_a_failure_later_and_later_up_to_an_hour() {
    let last_at = at("2026-11-20T15:00:00Z");
    let wait = |times| match due(&schedule("orders", "03:00-04:00"), &[], Some(Failed { times, last_at }), last_at) {
        Due::At(next) => next.duration_since(last_at).as_mins(),
        Due::Now | Due::Off => panic!("not at once"),
    };
    assert_eq!([1, 2, 3, 4, 5, 40].map(wait), [5, 10, 20, 40, 60, 60]);
    let failed = Some(Failed { times: 1, last_at });
    assert_eq!(due(&schedule("orders", "03:00-04:00"), &[], failed, last_at + hours(1)), Due::Now);
    assert_eq!(due(&schedule("orders", "03:00-04:00"), &[], failed, last_at - hours(1)), Due::Now);
}

#[test]
fn instances_of_one_window_begin_at_different_moments() {
    let now = at("2026-11-20T15:00:00Z");
    let slots: std::collections::BTreeSet<Timestamp> =
        (0..50).map(|number| slot_before(&schedule(&format!("db-{number}"), "03:00-04:00"), now)).collect();
    assert!(slots.len() > 45, "{}", slots.len());
}

proptest! {
    #[test]
    fn a_slot_is_in_the_window_and_less_than_a_day_ago(
        start in 0_u32..1440, length in 1_u32..1440, name in "[a-z]{1,12}", second in 200_000_i64..4_000_000_000
    ) {
        let window = Window { start_min: start, length_min: length, period_min: 1440 };
        let schedule = Schedule { window, retention_days: 7, name };
        let now = Timestamp::from_second(second).expect("a time");
        let slot = slot_before(&schedule, now);
        prop_assert!(window.is_open(slot), "{slot}");
        prop_assert!(slot <= now && now.duration_since(slot) < hours(24));
        // The same one until the next, a day later.
        prop_assert_eq!(slot_before(&schedule, slot), slot);
        prop_assert_eq!(slot_before(&schedule, slot + hours(24) - SignedDuration::from_nanos(1)), slot);
        prop_assert_eq!(slot_before(&schedule, slot + hours(24)), slot + hours(24));
    }

    #[test]
    fn what_was_just_taken_is_not_due_again(second in 0_i64..4_000_000_000, length in 1_u32..1440, start in 0_u32..1440) {
        let window = Window { start_min: start, length_min: length, period_min: 1440 };
        let schedule = Schedule { window, retention_days: 7, name: "orders".to_owned() };
        let now = Timestamp::from_second(second).expect("a time");
        let one = Backup { taken_at: now, ..backup("daily", 1, 1, 1, now) };
        match due(&schedule, &[one], None, now) {
            Due::At(next) => prop_assert!(now < next && next.duration_since(now) <= hours(24)),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
