//! Which backups and which log are kept, and what may be deleted in which order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::reach::{Leg, is_on, lineages, timeline_of};
use super::wal::{Lsn, SegmentName, Timeline, WalName};
use super::{Backup, BackupKind, Holdings};

/// The longest step between two daily backups that is believed: the window allows for some lateness. A longer one may be a
/// clock that was set forward, or a machine that was off, and counts for nothing.
const BELIEVED: SignedDuration = SignedDuration::from_hours(26);

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days that can be gone back; 0: nothing is deleted by schedule.
    pub days: u32,
    /// Whether any moment of them can be restored, or the backups alone.
    pub point_in_time: bool,
}

/// Something that nothing needs any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// A backup by its name.
    Backup(String),
    /// A file of the log.
    Wal(WalName),
}

/// What may be deleted from the generation that is written to, in this order: backups before the log they need, the oldest
/// first, so that wherever it is cut short the rest is whole.
///
/// Kept is the newest backup by schedule from before the retention period, all after it and all log from its start, on the
/// way to each timeline; other backups stay until somebody deletes them, with the log they need to be consistent.
pub fn expire(holdings: &Holdings, retention: Retention, now: Timestamp) -> Vec<Deletion> {
    if retention.days == 0 {
        return Vec::new();
    }
    let ways = lineages(holdings);
    let keep_for = SignedDuration::from_hours(24 * i64::from(retention.days));
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for legs in &ways {
        let automated = on_the_way(holdings, legs);
        let anchor = anchor(&automated, keep_for, now);
        kept.extend(automated.iter().skip(anchor.unwrap_or(0)).map(|backup| backup.name.as_str()));
    }
    // What is on no way is of a timeline that another one left before it: nothing replaces it.
    let on_none = |backup: &Backup| !ways.iter().any(|legs| is_on(backup, legs));
    kept.extend(holdings.backups.iter().filter(|backup| on_none(backup)).map(|backup| backup.name.as_str()));
    deletions(holdings, &ways, &kept, retention.point_in_time)
}

/// What may be deleted from a generation that is written to no more, since `successor` went on: everything of the schedule,
/// once a backup of the successor is as old as the retention period.
pub fn expire_ended(ended: &Holdings, successor: &Holdings, retention: Retention, now: Timestamp) -> Vec<Deletion> {
    let keep_for = SignedDuration::from_hours(24 * i64::from(retention.days));
    let covered = lineages(successor).iter().any(|legs| anchor(&on_the_way(successor, legs), keep_for, now).is_some());
    if retention.days == 0 || !covered {
        return Vec::new();
    }
    let ways = lineages(ended);
    let mut deletions = deletions(ended, &ways, &BTreeSet::new(), false);
    // Without backups, nothing tells the segment size, and nothing needs any log.
    if ended.backups.iter().all(|backup| backup.kind == BackupKind::Automated) {
        let named: BTreeSet<_> = deletions.iter().cloned().collect();
        let rest = ended.wal.iter().map(|file| Deletion::Wal(file.name)).filter(|wal| !named.contains(wal));
        deletions.extend(rest.collect::<Vec<_>>());
    }
    deletions
}

/// The backups by schedule on the way to a timeline, by their place in the log: clocks may be set, the log goes on.
fn on_the_way<'a>(holdings: &'a Holdings, legs: &[Leg]) -> Vec<&'a Backup> {
    let mut found: Vec<_> = holdings.backups.iter().collect();
    found.retain(|backup| backup.kind == BackupKind::Automated && is_on(backup, legs));
    found.sort_by_key(|backup| (backup.start_lsn, backup.timeline, backup.taken_at));
    found
}

/// The newest sound backup that was whole before the retention period began.
///
/// Its age is what the backups after it prove, step by step: days in which none was taken, and times that go backwards, do
/// not count. So a clock that is set forward deletes nothing, nor does a schedule that fails.
fn anchor(automated: &[&Backup], keep_for: SignedDuration, now: Timestamp) -> Option<usize> {
    let believed = |from: Timestamp, to: Timestamp| {
        let step = to.duration_since(from);
        if SignedDuration::ZERO <= step && step <= BELIEVED { step } else { SignedDuration::ZERO }
    };
    let mut next: Option<(Timestamp, SignedDuration)> = None;
    for (index, backup) in automated.iter().enumerate().rev().filter(|(_, backup)| !backup.damaged) {
        let since = match next {
            None => believed(backup.finished_at, now),
            Some((later, age)) => age + believed(backup.finished_at, later),
        };
        if since >= keep_for && now.duration_since(backup.finished_at) >= keep_for {
            return Some(index);
        }
        next = Some((backup.finished_at, since));
    }
    None
}

/// Everything of the schedule that is not kept, and the log that no backup which stays needs.
fn deletions(holdings: &Holdings, ways: &[Vec<Leg>], kept: &BTreeSet<&str>, point_in_time: bool) -> Vec<Deletion> {
    let stays = |backup: &&Backup| backup.kind != BackupKind::Automated || kept.contains(backup.name.as_str());
    let (stay, mut go): (Vec<&Backup>, Vec<&Backup>) = holdings.backups.iter().partition(stays);
    go.sort_by_key(|backup| (backup.start_lsn, backup.timeline, backup.taken_at));
    let mut deletions: Vec<_> = go.iter().map(|backup| Deletion::Backup(backup.name.clone())).collect();
    // Without any backup nobody knows what the one that is being taken will need, nor how large a segment is.
    let Some(size) = stay.first().map(|backup| backup.wal_segment_bytes) else { return deletions };
    let needs: Vec<Need> = ways.iter().map(|legs| Need::of(&stay, legs, point_in_time, size)).collect();
    let needed = |segment: SegmentName| {
        let number = segment.number(size);
        let of_way = |legs: &[Leg], need: &Need| {
            let mine = timeline_of(number, legs, size) == Some(segment.timeline);
            // The unfinished end of a timeline is beside the segment that goes on with it.
            let left = legs.iter().any(|leg| leg.timeline == segment.timeline);
            (mine || left) && need.has(number)
        };
        ways.iter().zip(&needs).any(|(legs, need)| of_way(legs, need))
    };
    let mut wal: BTreeMap<(u64, Timeline, WalName), WalName> = BTreeMap::new();
    for file in &holdings.wal {
        // Where timelines come from is worth more than the bytes it takes.
        if let Some(segment) = file.name.segment()
            && !needed(segment)
        {
            wal.insert((segment.number(size), segment.timeline, file.name), file.name);
        }
    }
    deletions.extend(wal.into_values().map(Deletion::Wal));
    deletions
}

/// The segments, by number, that are needed on one way.
struct Need {
    /// This one and all after it.
    from: Option<u64>,
    /// Both included.
    ranges: Vec<(u64, u64)>,
}

impl Need {
    fn of(stay: &[&Backup], legs: &[Leg], point_in_time: bool, size: u64) -> Self {
        let first = |backup: &Backup| backup.start_lsn.segment(size);
        let last = |backup: &Backup| Lsn(backup.end_lsn.0.saturating_sub(1)).segment(size);
        let mine: Vec<_> = stay.iter().filter(|backup| is_on(backup, legs)).collect();
        let automated = mine.iter().filter(|backup| backup.kind == BackupKind::Automated);
        let oldest = automated.map(|backup| first(backup)).min();
        // As long as the schedule has taken none on this way, any other backup may have to do.
        let from = oldest.or_else(|| mine.iter().map(|backup| first(backup)).min());
        let needs_log = |backup: &&&&Backup| !backup.self_contained;
        let ranges = mine.iter().filter(needs_log).map(|backup| (first(backup), last(backup)));
        let newest = mine.iter().map(|backup| first(backup)).max();
        // A backup that is being taken begins after the newest one.
        Self { from: if point_in_time { from.or(Some(0)) } else { newest.or(Some(0)) }, ranges: ranges.collect() }
    }

    fn has(&self, number: u64) -> bool {
        let in_range = |range: &(u64, u64)| range.0 <= number && number <= range.1;
        self.from.is_some_and(|from| from <= number) || self.ranges.iter().any(in_range)
    }
}
