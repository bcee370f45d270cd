//! What is deleted, and what never is.

use jiff::Timestamp;
use pgherd_core::backups::{
    Backup, BackupKind, Clusters, Deletion, Holdings, Reach, Retention, SegmentName, Timeline, WalName, chains, expire,
    expire_ended, reach,
};
use proptest::prelude::*;

use crate::herd::{SIZE, at, backup, file, history, hours, segment, told, without};

const WEEK: Retention = Retention { days: 7, point_in_time: true };

/// One backup a day for `days`, the last one two hours ago; two segments a day, the first of which a backup begins in.
fn daily(days: u64, now: Timestamp) -> Holdings {
    let mut holdings = Holdings::default();
    for day in 0..days {
        let ago = hours(24 * i64::try_from(days - 1 - day).expect("few") + 2);
        holdings.backups.push(backup(&format!("day{day}"), 1, 2 * day, 2 * day, now - ago));
        holdings.wal.push(file(segment(1, 2 * day), now - ago));
        holdings.wal.push(file(segment(1, 2 * day + 1), now - ago + hours(12)));
    }
    holdings
}

fn now() -> Timestamp {
    at("2026-11-23T05:00:00Z")
}

#[track_caller]
fn check(holdings: &Holdings, retention: Retention, expected: &[&str]) {
    assert_eq!(told(&expire(holdings, retention, now())), expected);
}

#[test]
fn kept_is_the_newest_from_before_the_period_and_everything_since() {
    // The oldest that is needed was taken 7 days and 2 hours ago.
    check(&daily(8, now()), WEEK, &[]);
    check(&daily(10, now()), WEEK, &["day0", "day1", "1:0", "1:1", "1:2", "1:3"]);
    check(&daily(3, now()), Retention { days: 1, point_in_time: true }, &["day0", "1:0", "1:1"]);
    assert_eq!(expire(&daily(60, now()), Retention { days: 35, point_in_time: true }, now()).len(), 24 + 48);
}

#[test]
fn nothing_without_a_retention_or_a_backup() {
    check(&daily(60, now()), Retention { days: 0, point_in_time: true }, &[]);
    check(&Holdings { backups: Vec::new(), ..daily(60, now()) }, WEEK, &[]);
}

#[test]
fn what_somebody_took_stays_with_the_log_it_needs() {
    for kind in [BackupKind::Manual, BackupKind::Final] {
        let mut holdings = daily(10, now());
        holdings.backups[1].kind = kind;
        holdings.backups[1].end_lsn.0 += 0x0100_0000;
        check(&holdings, WEEK, &["day0", "1:0", "1:1"]);
        holdings.backups[1].self_contained = true;
        check(&holdings, WEEK, &["day0", "1:0", "1:1", "1:2", "1:3"]);
    }
}

#[test]
fn one_that_is_damaged_takes_nobodys_place() {
    let mut holdings = daily(10, now());
    holdings.backups[2].damaged = true;
    check(&holdings, WEEK, &["day0", "1:0", "1:1"]);
}

#[test]
fn a_schedule_that_fails_deletes_nothing() {
    let left = without(&daily(10, now()), &expire(&daily(10, now()), WEEK, now()));
    for days in 2..60 {
        assert_eq!(expire(&left, WEEK, now() + hours(24 * days)), [], "after {days} days");
    }
}

#[test]
fn without_points_in_time_the_log_that_backups_need_is_enough() {
    let retention = Retention { days: 7, point_in_time: false };
    let expected = ["day0", "day1", "1:0", "1:1", "1:2", "1:3", "1:5", "1:7", "1:9", "1:11", "1:13", "1:15", "1:17"];
    check(&daily(10, now()), retention, &expected);
}

#[test]
fn a_promotion_is_gone_through() {
    let mut holdings = daily(10, now());
    holdings.histories = vec![history(2, 1, 9)];
    for backup in &mut holdings.backups[5..] {
        backup.timeline = Timeline(2);
    }
    for number in 9..20 {
        holdings.wal[number].name = segment(2, number as u64);
    }
    check(&holdings, WEEK, &["day0", "day1", "1:0", "1:1", "1:2", "1:3"]);
}

/// What the first server wrote of its last segment, which the second one's begins with.
#[test]
fn the_unfinished_end_of_a_timeline_stays_and_goes_with_the_log_around_it() {
    let promoted = |days: u64| {
        let mut holdings = daily(days, now());
        holdings.histories = vec![history(2, 1, 3)];
        for backup in &mut holdings.backups[2..] {
            backup.timeline = Timeline(2);
        }
        for number in 3..2 * usize::try_from(days).expect("few") {
            holdings.wal[number].name = segment(2, number as u64);
        }
        let unfinished = WalName::Partial(SegmentName::new(Timeline(1), 3, SIZE));
        holdings.wal.push(file(unfinished, holdings.wal[3].written_at.expect("known")));
        holdings
    };
    check(&promoted(9), WEEK, &["day0", "1:0", "1:1"]);
    check(&promoted(10), WEEK, &["day0", "day1", "1:0", "1:1", "1:2", "1:3", "2:3"]);
    // It is no hole where it is not there, and fills none where the whole one is missing.
    let mut holed = promoted(9);
    assert!(chains(&holed).iter().all(|chain| chain.gaps.is_empty()));
    holed.wal.retain(|file| file.name != segment(2, 3));
    assert!(chains(&holed).iter().any(|chain| chain.gaps.iter().any(|gap| gap.segments == 1)));
}

#[test]
fn a_way_that_nobody_went_on_is_kept_for_the_period() {
    // Two servers were promoted at the same place; the one of timeline 2 was lost.
    let fork = |days| {
        let mut holdings = daily(days, now());
        holdings.histories = vec![history(2, 1, 3), history(3, 1, 3)];
        for backup in &mut holdings.backups[2..] {
            backup.timeline = Timeline(3);
        }
        for number in 3..2 * usize::try_from(days).expect("few") {
            holdings.wal[number].name = segment(3, number as u64);
        }
        holdings.wal.push(file(segment(2, 3), holdings.wal[3].written_at.expect("known")));
        holdings.wal.push(file(segment(2, 4), holdings.wal[4].written_at.expect("known")));
        holdings
    };
    check(&fork(9), WEEK, &["day0", "1:0", "1:1"]);
    check(&fork(10), WEEK, &["day0", "day1", "1:0", "1:1", "1:2", "2:3", "3:3", "2:4"]);
}

/// A cluster that goes on.
const ONE: Clusters = Clusters { ended: 7, successor: 7 };

/// A machine that is lost, and a new database of the name: as long as nobody destroyed the old one somebody may want it back.
#[test]
fn what_was_of_another_database_of_the_name_stays() {
    let ended = daily(5, now() - hours(24 * 400));
    for (ended_by, successor) in [(7, 8), (0, 8), (7, 0), (0, 0)] {
        let clusters = Clusters { ended: ended_by, successor };
        assert_eq!(expire_ended(&ended, &daily(100, now()), clusters, WEEK, now()), [], "{clusters:?}");
    }
    assert!(!expire_ended(&ended, &daily(100, now()), ONE, WEEK, now()).is_empty());
}

#[test]
fn a_generation_that_ended_goes_when_the_next_one_covers_the_period() {
    let mut ended = daily(5, now() - hours(24 * 8));
    assert_eq!(expire_ended(&ended, &daily(7, now()), ONE, WEEK, now()), []);
    assert_eq!(expire_ended(&ended, &daily(8, now()), ONE, WEEK, now()).len(), 5 + 10);
    assert_eq!(expire_ended(&ended, &daily(8, now()), ONE, Retention { days: 0, point_in_time: true }, now()), []);
    ended.backups[4].kind = BackupKind::Final;
    let left = without(&ended, &expire_ended(&ended, &daily(8, now()), ONE, WEEK, now()));
    assert_eq!((left.backups.len(), left.wal.len()), (1, 1));
    ended.backups.clear();
    assert_eq!(expire_ended(&ended, &daily(8, now()), ONE, WEEK, now()).len(), 10);
}

/// A generation with promotions, gaps, damage and backups of all kinds, and how long it is kept.
fn any_generation() -> impl Strategy<Value = (Holdings, Retention)> {
    let day = (0..20_u32, any::<bool>(), 0..30_u32, 0..8_u32, 0..12_u32);
    (prop::collection::vec(day, 1..30), 1_u32..=20, any::<bool>()).prop_map(|(days, keep, point_in_time)| {
        let mut holdings = Holdings::default();
        let (mut timeline, mut number, count) = (1_u32, 0_u64, days.len());
        for (day, (kind, own_log, damage, promoted, missing)) in days.into_iter().enumerate() {
            let midnight = now() - hours(24 * i64::try_from(count - day).expect("few"));
            for hour in 0..4 {
                if hour == 1 {
                    let finished_at = midnight + hours(7);
                    let mut one = backup(&format!("day{day}"), timeline, number - 1, number, finished_at);
                    one.kind = match kind {
                        0 => BackupKind::Manual,
                        1 => BackupKind::Final,
                        _ => BackupKind::Automated,
                    };
                    (one.self_contained, one.damaged) = (own_log, damage == 0);
                    holdings.backups.push(one);
                }
                if hour == 3 && promoted == 0 {
                    let mut switches = holdings.histories.last().map_or(Vec::new(), |last| last.switches.clone());
                    switches.extend(history(timeline + 1, timeline, number).switches);
                    timeline += 1;
                    holdings.histories.push(pgherd_core::backups::History { timeline: Timeline(timeline), switches });
                }
                if hour != 2 || missing != 0 {
                    holdings.wal.push(file(segment(timeline, number), midnight + hours(6 * hour + 6)));
                }
                number += 1;
            }
        }
        (holdings, Retention { days: keep, point_in_time })
    })
}

/// What can be restored of the retention period.
fn in_the_period(holdings: &Holdings, retention: Retention) -> Vec<Reach> {
    let begin = now() - hours(24 * i64::from(retention.days));
    let clipped = reach(holdings).into_iter().map(|range| Reach { from: range.from.max(begin), ..range });
    clipped.filter(|range| range.from <= range.to).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_is_needed_is_ever_deleted((holdings, retention) in any_generation()) {
        let deletions = expire(&holdings, retention, now());
        let restorable = in_the_period(&holdings, retention);
        let usable = |holdings: &Holdings, name: &str| {
            chains(holdings).iter().any(|chain| chain.backup == name && chain.consistent)
        };
        // Wherever it is cut short.
        for done in (0..deletions.len()).step_by(5).chain([deletions.len()]) {
            let left = without(&holdings, &deletions[..done]);
            if retention.point_in_time {
                prop_assert_eq!(in_the_period(&left, retention), restorable.clone());
            }
            for backup in &left.backups {
                let stays = !deletions.contains(&Deletion::Backup(backup.name.clone()));
                prop_assert!(stays || done < deletions.len());
                if stays {
                    prop_assert_eq!(usable(&left, &backup.name), usable(&holdings, &backup.name), "{}", backup.name);
                }
            }
        }
        let gone = |kind| holdings.backups.iter().any(|backup: &Backup| {
            backup.kind == kind && deletions.contains(&Deletion::Backup(backup.name.clone()))
        });
        prop_assert!(!gone(BackupKind::Manual) && !gone(BackupKind::Final));
    }

    #[test]
    fn once_is_enough((holdings, retention) in any_generation()) {
        let left = without(&holdings, &expire(&holdings, retention, now()));
        prop_assert_eq!(expire(&left, retention, now()), vec![]);
    }

    #[test]
    fn with_a_schedule_that_works_nothing_else_is_kept(days in 1_u64..60, keep in 1_u32..=35) {
        let left = without(&daily(days, now()), &expire(&daily(days, now()), Retention { days: keep, point_in_time: true }, now()));
        let expected = days.min(u64::from(keep) + 1);
        prop_assert_eq!((left.backups.len() as u64, left.wal.len() as u64), (expected, 2 * expected));
    }

    #[test]
    fn what_may_go_is_in_order((holdings, retention) in any_generation()) {
        let deletions = expire(&holdings, retention, now());
        let first_wal = deletions.iter().position(|deletion| matches!(deletion, Deletion::Wal(_))).unwrap_or(deletions.len());
        prop_assert!(deletions[first_wal..].iter().all(|deletion| matches!(deletion, Deletion::Wal(_))));
    }
}
