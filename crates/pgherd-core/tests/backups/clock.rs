//! A clock that is set, forward or back, by days or years, deletes nothing that the retention period needs.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{Due, Holdings, Retention, Schedule, due, expire};
use pgherd_core::window::Window;
use proptest::prelude::*;

use crate::herd::{at, backup, file, hours, segment, without};

/// When a backup was really taken, whatever the clock said.
struct Taken {
    name: String,
    at: SignedDuration,
    first: u64,
}

/// Plays `days` hour by hour with a clock that is off by `skew(hour)`. At each hour, what was taken before the retention
/// period, and all log since, must be there.
fn play(days: i64, keep: u32, skew: impl Fn(i64) -> SignedDuration) -> Result<(), String> {
    play_while(days, keep, skew, |_| true).map(drop)
}

/// The same of a machine that is on at these hours alone; gives how many backups there were at most.
fn play_while(
    days: i64,
    keep: u32,
    skew: impl Fn(i64) -> SignedDuration,
    is_on: impl Fn(i64) -> bool,
) -> Result<usize, String> {
    let mut most = 0;
    let begin: Timestamp = at("2026-01-01T00:00:00Z");
    let window = Window::parse_daily("03:00-04:00").expect("a window");
    let schedule = Schedule { window, retention_days: keep, name: "orders".to_owned() };
    let retention = Retention { days: keep, point_in_time: true };
    let (mut holdings, mut taken) = (Holdings::default(), Vec::<Taken>::new());
    for (number, hour) in (0..24 * days).filter(|hour| is_on(*hour)).enumerate() {
        let (elapsed, number) = (hours(hour), number as u64);
        let clock = begin + elapsed + skew(hour);
        holdings.wal.push(file(segment(1, number), clock));
        if due(&schedule, &holdings.backups, None, clock) == Due::Now {
            let name = format!("hour{hour}");
            let mut one = backup(&name, 1, number, number, clock);
            one.taken_at = clock;
            holdings.backups.push(one);
            taken.push(Taken { name, at: elapsed, first: number });
        }
        holdings = without(&holdings, &expire(&holdings, retention, clock));
        let period = elapsed - hours(24 * i64::from(keep));
        // The newest that was really taken before the period; while there is none, the very first.
        let needed = taken.iter().rev().find(|taken| taken.at <= period).or(taken.first()).expect("the first at once");
        for one in taken.iter().filter(|one| one.first >= needed.first) {
            if !holdings.backups.iter().any(|backup| backup.name == one.name) {
                return Err(format!("at hour {hour} {} is gone, and {} is needed", one.name, needed.name));
            }
        }
        let log = holdings.wal.iter().filter(|file| file.name >= segment(1, needed.first)).count();
        if log as u64 != number - needed.first + 1 {
            return Err(format!("at hour {hour} log since {} is gone", needed.name));
        }
        most = most.max(holdings.backups.len());
    }
    Ok(most)
}

#[test]
fn a_clock_that_is_right_loses_nothing() {
    play(20, 3, |_| SignedDuration::ZERO).expect("kept");
}

#[test]
fn a_machine_that_is_off_on_most_days_keeps_a_bounded_number() {
    for every in [2, 3, 7] {
        let at_work = |hour: i64| hour / 24 % every == 0 && (8..18).contains(&(hour % 24));
        let most = play_while(40 * every, 3, |_| SignedDuration::ZERO, at_work).expect("kept");
        assert!(most <= 2 * 3 + 7 + 2, "every {every} days: {most}");
    }
}

#[test]
fn forward_by_a_year_and_back() {
    play(30, 7, |hour| if (100..400).contains(&hour) { hours(24 * 365) } else { SignedDuration::ZERO }).expect("kept");
}

#[test]
fn back_by_a_year_and_forward() {
    play(30, 7, |hour| if (100..400).contains(&hour) { hours(-24 * 365) } else { SignedDuration::ZERO }).expect("kept");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_it_is_set(
        keep in 1_u32..8,
        jumps in prop::collection::vec((0_i64..24 * 20, -200_i64..200), 0..6),
    ) {
        // By three days or more: a clock that is set by less than two hours beyond a day is believed.
        let skew = |hour: i64| {
            let last = jumps.iter().filter(|(from, _)| *from <= hour).max_by_key(|(from, _)| *from);
            last.map_or(SignedDuration::ZERO, |(_, by)| hours(72 * by))
        };
        let played = play(20, keep, skew);
        prop_assert!(played.is_ok(), "{played:?}");
    }
}
