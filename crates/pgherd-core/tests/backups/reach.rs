//! What can be restored.

use pgherd_core::backups::{Holdings, chains, reach, without_history};

use crate::herd::{SIZE, at, backup, file, history, hours, segment};

/// Segments, one an hour from midnight on, by timeline and number.
fn holdings(wal: &[(u32, u64)]) -> Holdings {
    let midnight = at("2026-11-20T00:00:00Z");
    let hour = |number: u64| hours(i64::try_from(number).expect("few"));
    let wal =
        wal.iter().map(|(timeline, number)| file(segment(*timeline, *number), midnight + hour(*number))).collect();
    Holdings { backups: vec![backup("daily", 1, 2, 3, at("2026-11-20T03:30:00Z"))], wal, histories: Vec::new() }
}

/// Ranges as hours, and how many segments are missing in each gap.
#[track_caller]
fn check(holdings: &Holdings, ranges: &[&str], gaps: &[u64]) {
    let told: Vec<_> = reach(holdings)
        .iter()
        .map(|range| format!("{}: {} to {}", range.timeline, range.from.strftime("%H:%M"), range.to.strftime("%H:%M")))
        .collect();
    assert_eq!(told, ranges);
    let missing: Vec<_> = chains(holdings).iter().flat_map(|chain| &chain.gaps).map(|gap| gap.segments).collect();
    assert_eq!(missing, gaps);
}

#[test]
fn from_the_end_of_the_backup_to_the_last_segment() {
    check(&holdings(&[(1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]), &["1: 03:30 to 05:00"], &[]);
}

#[test]
fn up_to_a_gap() {
    check(&holdings(&[(1, 2), (1, 3), (1, 4), (1, 7), (1, 9)]), &["1: 03:30 to 04:00"], &[2, 1]);
}

#[test]
fn not_at_all_without_the_log_it_needs_to_be_consistent() {
    check(&holdings(&[(1, 2), (1, 4), (1, 5)]), &[], &[1]);
    check(&holdings(&[]), &[], &[]);
}

#[test]
fn to_its_own_moment_when_it_holds_its_log() {
    let mut alone = holdings(&[(1, 2), (1, 4)]);
    alone.backups[0].self_contained = true;
    check(&alone, &["1: 03:30 to 03:30"], &[1]);
    alone.backups[0].damaged = true;
    check(&alone, &[], &[1]);
}

#[test]
fn across_a_promotion_with_the_new_timelines_copy_of_the_segment() {
    let mut promoted = holdings(&[(1, 2), (1, 3), (1, 4), (2, 5), (2, 6), (1, 5)]);
    promoted.histories = vec![history(2, 1, 5)];
    check(&promoted, &["2: 03:30 to 06:00"], &[]);
    // Without it there is nothing to go on with, whatever else the old timeline has.
    promoted.wal.retain(|file| file.name != segment(2, 5));
    check(&promoted, &["2: 03:30 to 04:00"], &[1]);
}

#[test]
fn on_both_ways_after_two_promotions_from_one_place() {
    let mut forked = holdings(&[(1, 2), (1, 3), (1, 4), (2, 5), (3, 4), (3, 5), (3, 6)]);
    forked.histories = vec![history(2, 1, 5), history(3, 1, 4)];
    check(&forked, &["2: 03:30 to 05:00", "3: 03:30 to 06:00"], &[]);
}

#[test]
fn a_later_backup_goes_on_behind_a_gap() {
    let mut later = holdings(&[(1, 2), (1, 3), (1, 7), (1, 8), (1, 9)]);
    later.backups.push(backup("next", 1, 7, 7, at("2026-11-20T07:30:00Z")));
    check(&later, &["1: 03:30 to 03:30", "1: 07:30 to 09:00"], &[3]);
}

#[test]
fn a_backup_that_ends_where_a_segment_does_needs_no_more() {
    let mut exact = holdings(&[(1, 2)]);
    exact.backups[0].end_lsn.0 = 3 * SIZE;
    check(&exact, &["1: 03:30 to 03:30"], &[]);
}

#[test]
fn a_timeline_that_comes_from_nowhere_is_one_whose_history_is_lost() {
    let lost = |holdings: &Holdings| without_history(holdings).iter().map(|timeline| timeline.0).collect::<Vec<_>>();
    let mut promoted = holdings(&[(1, 2), (1, 3), (2, 4), (3, 5)]);
    assert_eq!(lost(&promoted), [2, 3]);
    promoted.histories = vec![history(3, 2, 5)];
    assert_eq!(lost(&promoted), [2]);
    promoted.histories.push(history(2, 1, 4));
    assert_eq!(lost(&promoted), [0_u32; 0]);
    // A generation that a restore began has nothing of the timelines before.
    let mut restored = holdings(&[(2, 4), (2, 5)]);
    restored.backups.clear();
    assert_eq!(lost(&restored), [0_u32; 0]);
    // A backup tells of a timeline as well, a note or an unfinished segment that nobody replays does not.
    let mut taken = holdings(&[(1, 2), (1, 3)]);
    assert_eq!(lost(&taken), [0_u32; 0]);
    taken.backups.push(backup("after", 2, 4, 5, at("2026-11-20T06:00:00Z")));
    assert_eq!(lost(&taken), [2]);
}
