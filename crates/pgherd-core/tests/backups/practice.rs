//! When a restore is practised.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{
    Backup, Drilled, Due, PRACTISE_EVERY, Schedule, check_due, drill_due, drill_overdue, slot_before,
};
use pgherd_core::window::Window;
use proptest::prelude::*;

use crate::herd::{at, backup, hours};

const FIRST: &str = "2026-11-02T15:00:00Z";

fn schedule(window: &str) -> Schedule {
    Schedule { window: Window::parse_daily(window).expect("a window"), retention_days: 7, name: "orders".to_owned() }
}

fn backups() -> Vec<Backup> {
    vec![backup("daily", 1, 1, 1, at(FIRST))]
}

/// `now`, or the hour up to which it waits.
#[track_caller]
fn check(last: Option<(&str, bool)>, now: &str, expected: &str) {
    let last = last.map(|(when, passed)| Drilled { at: at(when), passed });
    let found = match drill_due(&schedule("03:00-03:01"), &backups(), last, at(now)) {
        Due::Off => "off".to_owned(),
        Due::Now => "now".to_owned(),
        Due::At(next) => next.strftime("%m-%d %H").to_string(),
    };
    assert_eq!(found, expected);
}

#[test]
fn the_first_one_in_the_first_window_after_the_first_backup() {
    check(None, "2026-11-02T15:00:01Z", "11-03 03");
    check(None, "2026-11-03T03:00:30Z", "now");
}

#[test]
fn then_once_a_week() {
    check(Some(("2026-11-03T03:01:00Z", true)), "2026-11-03T03:02:00Z", "11-10 03");
    check(Some(("2026-11-03T03:01:00Z", true)), "2026-11-10T02:59:00Z", "11-10 03");
    check(Some(("2026-11-03T03:01:00Z", true)), "2026-11-10T03:00:30Z", "now");
    // Somebody practised in the afternoon: the window nearest to a week later.
    check(Some(("2026-11-03T14:00:00Z", true)), "2026-11-03T15:00:00Z", "11-10 03");
}

#[test]
fn one_that_failed_again_the_next_day() {
    check(Some(("2026-11-03T03:01:00Z", false)), "2026-11-03T03:02:00Z", "11-04 03");
}

#[test]
fn a_missed_one_as_soon_as_possible() {
    check(Some(("2026-11-03T03:01:00Z", true)), "2026-11-12T17:00:00Z", "now");
    check(None, "2027-11-12T17:00:00Z", "now");
}

#[test]
fn one_from_the_future_counts_for_nothing() {
    check(Some(("2027-11-03T03:01:00Z", true)), "2026-11-02T16:00:00Z", "11-03 03");
    check(Some(("2027-11-03T03:01:00Z", true)), "2026-11-03T16:00:00Z", "now");
}

#[test]
fn without_a_sound_backup_there_is_nothing_to_practise_with() {
    let now = at("2026-11-10T15:00:00Z");
    assert_eq!(drill_due(&schedule("03:00-04:00"), &[], None, now), Due::Off);
    let damaged = [Backup { damaged: true, ..backups().remove(0) }];
    assert_eq!(drill_due(&schedule("03:00-04:00"), &damaged, None, now), Due::Off);
    let off = Schedule { retention_days: 0, ..schedule("03:00-04:00") };
    assert_eq!(drill_due(&off, &backups(), None, now), Due::Off);
}

#[test]
fn everything_is_read_back_in_the_days_between() {
    let due =
        |last: Option<&str>, now: &str| match check_due(&schedule("03:00-03:01"), &backups(), last.map(at), at(now)) {
            Due::Off => "off".to_owned(),
            Due::Now => "now".to_owned(),
            Due::At(next) => next.strftime("%m-%d %H").to_string(),
        };
    // The first drill is on the third, the next on the tenth.
    assert_eq!(due(None, FIRST), "11-05 03");
    assert_eq!(due(None, "2026-11-05T03:00:59Z"), "now");
    assert_eq!(due(Some("2026-11-05T03:05:00Z"), "2026-11-05T04:00:00Z"), "11-12 03");
    assert_eq!(due(Some("2027-11-05T03:05:00Z"), FIRST), "11-05 03", "a clock was set back");
    assert_eq!(check_due(&schedule("03:00-04:00"), &[], None, at(FIRST)), Due::Off);
}

#[test]
fn two_weeks_without_one_that_went_well_are_too_many() {
    let overdue = |last: Option<&str>, now: &str| drill_overdue(&backups(), last.map(at), at(now)).is_some();
    assert!(!overdue(None, "2026-11-16T14:00:00Z") && overdue(None, "2026-11-16T15:00:01Z"));
    let last = Some("2026-11-10T03:00:00Z");
    assert!(!overdue(last, "2026-11-24T03:00:00Z") && overdue(last, "2026-11-24T03:00:01Z"));
    assert!(overdue(Some("2027-11-10T03:00:00Z"), "2026-11-24T03:00:00Z"), "a clock was set back");
    assert_eq!(drill_overdue(&[], None, at("2026-11-24T03:00:00Z")), None);
}

proptest! {
    /// However long ago the last one was, one is due within a week and half a day, at the instance's own moment, and not twice in six days.
    #[test]
    fn one_a_week(
        start in 0_u32..1440, length in 1_u32..1440, second in 200_000_i64..4_000_000_000, ago_s in 0_i64..2_000_000
    ) {
        let window = Window { start_min: start, length_min: length, period_min: 1440 };
        let schedule = Schedule { window, ..schedule("03:00-04:00") };
        let now = Timestamp::from_second(second).expect("a time");
        let last = now - SignedDuration::from_secs(ago_s);
        let one = [backup("daily", 1, 1, 1, Timestamp::UNIX_EPOCH)];
        match drill_due(&schedule, &one, Some(Drilled { at: last, passed: true }), now) {
            Due::At(next) => {
                prop_assert!(now < next && next.duration_since(last) <= PRACTISE_EVERY + hours(12));
                prop_assert!(next.duration_since(last) >= PRACTISE_EVERY - hours(12));
                prop_assert_eq!(slot_before(&schedule, next), next);
            }
            Due::Now => prop_assert!(now.duration_since(last) >= PRACTISE_EVERY - hours(12)),
            Due::Off => prop_assert!(false, "there is a backup"),
        }
    }

    /// Asked again right after it was done, it waits.
    #[test]
    fn what_was_just_practised_is_not_due(second in 200_000_i64..4_000_000_000, passed: bool) {
        let now = Timestamp::from_second(second).expect("a time");
        let one = [backup("daily", 1, 1, 1, Timestamp::UNIX_EPOCH)];
        let due = drill_due(&schedule("03:00-04:00"), &one, Some(Drilled { at: now, passed }), now);
        prop_assert!(matches!(due, Due::At(next) if next > now), "{due:?}");
    }
}
