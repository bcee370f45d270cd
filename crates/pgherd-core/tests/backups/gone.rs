//! What stays of a database that was destroyed.

use jiff::Timestamp;
use pgherd_core::backups::{Backup, BackupKind, Deletion, Gone, Holdings, expire_gone};
use proptest::prelude::*;

use crate::herd::{at, backup, file, hours, segment};

const LONG_S: i64 = 36 * 24 * 3600;

fn one(name: &str, kind: BackupKind) -> Backup {
    let now = at("2026-11-02T15:00:00Z");
    Backup { kind, self_contained: true, verified_at: Some(now), ..backup(name, 1, 1, 1, now) }
}

#[track_caller]
fn check(backups: &[Backup], for_s: i64, expected: &[&str]) {
    let holdings = Holdings { backups: backups.to_vec(), ..Holdings::default() };
    let gone = Gone { for_s, seen_at: at("2027-01-01T00:00:00Z") };
    let names = expire_gone(&[holdings], gone).remove(0).into_iter().map(|deletion| match deletion {
        Deletion::Backup(name) => name,
        Deletion::Wal(name) => name.to_string(),
    });
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

#[test]
fn the_last_one_and_those_that_somebody_asked_for_stay() {
    let all = [one("daily", BackupKind::Automated), one("mine", BackupKind::Manual), one("last", BackupKind::Final)];
    check(&all, LONG_S, &["daily"]);
}

#[test]
fn everything_stays_for_35_days() {
    let all = [one("daily", BackupKind::Automated), one("last", BackupKind::Final)];
    check(&all, 35 * 24 * 3600 - 1, &[]);
    check(&all, 35 * 24 * 3600, &["daily"]);
}

#[test]
fn what_nobody_destroyed_stays_for_ever() {
    let daily = one("daily", BackupKind::Automated);
    check(std::slice::from_ref(&daily), LONG_S, &[]);
    check(&[daily.clone(), one("mine", BackupKind::Manual)], LONG_S, &[]);
    // A last backup that may not be one is no reason to delete others.
    check(&[daily.clone(), Backup { damaged: true, ..one("last", BackupKind::Final) }], LONG_S, &[]);
    check(&[daily, Backup { verified_at: None, ..one("last", BackupKind::Final) }], LONG_S, &[]);
}

/// An attempt to destroy it failed: what was committed since is in the log behind the last backup, and nowhere else.
#[test]
fn what_went_on_after_its_last_backup_was_not_destroyed() {
    let gone = Gone { for_s: LONG_S, seen_at: at("2027-01-01T00:00:00Z") };
    let left = |timeline: u32, number: u64| {
        let wal = vec![file(segment(timeline, number), at("2026-11-02T15:01:00Z"))];
        let backups = vec![one("daily", BackupKind::Automated), one("last", BackupKind::Final)];
        expire_gone(&[Holdings { backups, wal, ..Holdings::default() }], gone).remove(0).len()
    };
    assert_eq!(left(1, 4), 2, "what is archived when a server is shut down");
    assert_eq!(left(1, 5), 0);
    assert_eq!(left(2, 2), 0);
}

proptest! {
    /// Whatever the clock does, no more time is counted than one that goes right could have shown between two looks.
    #[test]
    fn only_steps_that_are_believed_count(steps in proptest::collection::vec(-4_000_000_i64..4_000_000, 1..40)) {
        let mut now = Timestamp::from_second(2_000_000_000).expect("a time");
        let (mut gone, mut believed) = (Gone::new(now), 0);
        for step in steps {
            now = Timestamp::from_second(now.as_second() + step).expect("a time");
            gone = gone.seen(now);
            believed += if (0..=hours(26).as_secs()).contains(&step) { step } else { 0 };
            prop_assert_eq!(gone, Gone { for_s: believed, seen_at: now });
        }
    }
}
