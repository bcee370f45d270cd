//! Which backups hold everything, and what stays for the sake of those that do not.

use jiff::Timestamp;
use pgherd_core::backups::{
    Backup, BackupKind, Holdings, Retention, Timeline, base_for, chains, expire, kept_for_changes, room_for,
};
use pgherd_core::version::Version;
use proptest::prelude::*;

use crate::herd::{at, backup, file, hours, segment, told, without};

const NEW: Version = Version { major: 17, minor: Some(11) };

fn now() -> Timestamp {
    at("2026-11-23T05:00:00Z")
}

/// A whole backup so many hours ago, read back.
fn whole(name: &str, ago: i64) -> Backup {
    let taken_at = now() - hours(ago);
    Backup {
        version: "17.11".to_owned(),
        bytes: 100,
        verified_at: Some(now()),
        taken_at,
        ..backup(name, 1, 2, 2, taken_at)
    }
}

fn changes(name: &str, base: &str, ago: i64, bytes: u64) -> Backup {
    let at = now() - hours(ago);
    Backup { base: Some(base.to_owned()), bytes, ..backup(name, 1, 3, 3, at) }
}

#[track_caller]
fn check(backups: &[Backup], expected: Option<&str>) {
    let base = base_for(BackupKind::Automated, NEW, Timeline(1), backups, 7, now());
    assert_eq!(base.map(|base| base.name.as_str()), expected);
}

#[test]
fn changes_are_since_the_last_whole_one_of_the_week() {
    check(&[], None);
    check(&[whole("sunday", 24)], Some("sunday"));
    // Not since the last changes, so that a damaged one takes no other down.
    check(&[whole("sunday", 48), changes("monday", "sunday", 24, 10)], Some("sunday"));
    check(&[whole("before", 80), whole("sunday", 6 * 24)], Some("sunday"));
    check(&[whole("sunday", 7 * 24)], None);
}

#[test]
fn a_whole_one_is_taken_where_changes_would_be_large_or_nothing() {
    check(&[whole("sunday", 48), changes("monday", "sunday", 24, 51)], None);
    check(&[Backup { damaged: true, ..whole("sunday", 24) }], None);
    check(&[Backup { verified_at: None, ..whole("sunday", 24) }], None);
    // Another timeline or version, or a clock that was set back.
    check(&[Backup { timeline: Timeline(2), ..whole("sunday", 24) }], None);
    check(&[Backup { version: "16.15".to_owned(), ..whole("sunday", 24) }], None);
    check(&[whole("sunday", -24)], None);
    // What somebody may delete at any time is nothing to build on.
    check(&[Backup { kind: BackupKind::Manual, ..whole("mine", 24) }], None);
}

#[test]
fn not_all_days_that_can_be_gone_back_lean_on_one_whole_backup() {
    let base = |ago: i64, days: u32| {
        let all = [whole("sunday", ago)];
        base_for(BackupKind::Automated, NEW, Timeline(1), &all, days, now()).is_some()
    };
    assert!(base(48, 3) && !base(72, 3) && base(6 * 24, 35) && !base(7 * 24, 35));
    assert!(!base(24, 1), "of one day each is whole");
}

#[test]
fn what_somebody_asks_for_and_what_is_the_last_one_stand_alone() {
    let all = [whole("sunday", 24)];
    for kind in [BackupKind::Manual, BackupKind::Final] {
        assert_eq!(base_for(kind, NEW, Timeline(1), &all, 7, now()), None);
    }
    let old = Version { major: 16, minor: None };
    let all = [Backup { version: "16.15".to_owned(), ..whole("sunday", 24) }];
    assert_eq!(base_for(BackupKind::Automated, old, Timeline(1), &all, 7, now()), None);
}

#[test]
fn changes_take_room_beside_what_is_made_of_them() {
    let all = [
        Backup { original_bytes: 700, ..whole("sunday", 24) },
        Backup { original_bytes: 50, ..changes("monday", "sunday", 1, 1) },
    ];
    assert_eq!((room_for(&all[0], &all), room_for(&all[1], &all)), (700, 1500));
}

/// A whole one each week, changes on all other days.
fn weeks(days: u64) -> Holdings {
    let mut holdings = Holdings::default();
    for day in 0..days {
        let at = now() - hours(24 * i64::try_from(days - 1 - day).expect("few") + 2);
        let base = (day % 7 != 0).then(|| format!("day{}", day - day % 7));
        holdings.backups.push(Backup { base, ..backup(&format!("day{day}"), 1, 2 * day, 2 * day, at) });
        holdings.wal.push(file(segment(1, 2 * day), at));
        holdings.wal.push(file(segment(1, 2 * day + 1), at + hours(12)));
    }
    holdings
}

#[test]
fn what_changes_are_since_stays_with_them_and_without_its_log() {
    // The oldest that is needed is day10, which holds the changes since day7.
    let holdings = weeks(18);
    let went = told(&expire(&holdings, Retention { days: 7, point_in_time: true }, now()));
    let (backups, log): (Vec<_>, Vec<_>) = went.into_iter().partition(|name| name.starts_with("day"));
    let gone = ["day1", "day2", "day3", "day4", "day5", "day6", "day8", "day9", "day0"];
    assert_eq!(backups, gone, "changes go before what they are the changes since");
    assert_eq!(log, (0..20).map(|number| format!("1:{number}")).collect::<Vec<_>>());
}

/// The log behind it has gone with its days, and that is no hole.
#[test]
fn what_is_kept_for_changes_is_known_as_such() {
    let holdings = weeks(18);
    assert!(kept_for_changes(&holdings).is_empty());
    let left = without(&holdings, &expire(&holdings, Retention { days: 7, point_in_time: true }, now()));
    assert_eq!(kept_for_changes(&left).into_iter().collect::<Vec<_>>(), ["day7"]);
    let scheduled = chains(&left).into_iter().filter(|chain| chain.backup != "day7");
    assert!(scheduled.into_iter().all(|chain| chain.gaps.is_empty()));
}

proptest! {
    /// Wherever expiry is cut short, each backup that is left has what it holds the changes since.
    #[test]
    fn no_changes_are_left_alone(days in 1..40_u64, keep in 1..36_u32, cut in 0..200_usize, point_in_time: bool) {
        let holdings = weeks(days);
        let mut deletions = expire(&holdings, Retention { days: keep, point_in_time }, now());
        deletions.truncate(cut);
        let left = without(&holdings, &deletions);
        for backup in &left.backups {
            let base = backup.base.as_ref();
            prop_assert!(base.is_none_or(|base| left.backups.iter().any(|known| known.name == *base)), "{}", backup.name);
        }
    }
}
