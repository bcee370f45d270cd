//! Which backups and which log are kept, and what may be deleted in which order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::reach::{Leg, is_on, lineage, lineages, timeline_of};
use super::wal::{Lsn, SegmentName, Timeline, WalName};
use super::{Backup, BackupKind, Holdings};

/// The longest step between two daily backups that is believed: the window allows for some lateness. A longer one may be a
/// clock that was set forward, or a machine that was off, and counts for nothing.
pub(super) const BELIEVED: SignedDuration = SignedDuration::from_hours(26);

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
    let old = old_enough(holdings, retention, now);
    let mut ways = ways(holdings);
    // Nobody wrote to a timeline any more when there was a later one, so nothing of the retention period is on the way to it.
    let ended = |way: &Way| old.iter().any(|backup| backup.timeline > way.leaf());
    ways.iter_mut().for_each(|way| way.goes_on = !ended(way));
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for way in ways.iter_mut().filter(|way| way.goes_on) {
        let mut mine: Vec<_> = automated(holdings).filter(|backup| is_on(backup, &way.legs)).collect();
        mine.sort_by_key(|backup| place(backup));
        let anchor = mine.iter().rposition(|backup| old.iter().any(|old| old.name == backup.name));
        way.covered = anchor.is_some();
        kept.extend(mine.iter().skip(anchor.unwrap_or(0)).map(|backup| backup.name.as_str()));
    }
    let log = if retention.point_in_time { Log::All } else { Log::SinceNewest };
    deletions(holdings, &ways, &kept, log)
}

/// Whose log a generation and the one after it hold: the identities of their clusters, 0 where one is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clusters {
    /// Of the generation that ended.
    pub ended: u64,
    /// Of the one that is written to.
    pub successor: u64,
}

impl Clusters {
    /// Whether one goes on with what the other was: what is restored keeps its identity, and a new database has one of its own.
    fn are_one(self) -> bool {
        self.ended != 0 && self.ended == self.successor
    }
}

/// What may be deleted from a generation that is written to no more, since `successor` went on with its cluster: everything of the
/// schedule, once a backup of the successor is as old as the retention period. Of another cluster nothing: that there is a new database
/// of the name does not mean that nobody wants the old one, whose machine may be lost.
pub fn expire_ended(
    ended: &Holdings,
    successor: &Holdings,
    clusters: Clusters,
    retention: Retention,
    now: Timestamp,
) -> Vec<Deletion> {
    if !clusters.are_one() || retention.days == 0 || old_enough(successor, retention, now).is_empty() {
        return Vec::new();
    }
    consistent_only(ended, &BTreeSet::new())
}

/// Everything of the schedule that is not kept, and the log without which every other backup is consistent.
pub(super) fn consistent_only(holdings: &Holdings, kept: &BTreeSet<&str>) -> Vec<Deletion> {
    deletions(holdings, &ways(holdings), kept, Log::Consistent)
}

/// The way to a timeline.
struct Way {
    legs: Vec<Leg>,
    /// Whether anything of the retention period is on it.
    goes_on: bool,
    /// Whether a backup by schedule is from before the retention period.
    covered: bool,
}

impl Way {
    fn leaf(&self) -> Timeline {
        self.legs.last().map_or(Timeline(0), |leg| leg.timeline)
    }
}

/// Which log stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    /// All since the oldest backup by schedule.
    All,
    /// All since the newest backup, which the one that is being taken comes after; else what backups need to be consistent.
    SinceNewest,
    /// What backups need to be consistent.
    Consistent,
}

/// The ways to all timelines; also to one that was left before a backup of it was consistent.
fn ways(holdings: &Holdings) -> Vec<Way> {
    let mut ways = lineages(holdings);
    for backup in &holdings.backups {
        if !ways.iter().any(|legs| is_on(backup, legs)) {
            ways.push(lineage(backup.timeline, &holdings.histories));
        }
    }
    ways.into_iter().map(|legs| Way { legs, goes_on: true, covered: false }).collect()
}

fn automated(holdings: &Holdings) -> impl Iterator<Item = &Backup> {
    holdings.backups.iter().filter(|backup| backup.kind == BackupKind::Automated)
}

/// Backups in the order in which they were taken: clocks may be set, the log goes on.
fn place(backup: &Backup) -> (Timeline, Lsn, Timestamp) {
    (backup.timeline, backup.start_lsn, backup.taken_at)
}

/// The sound backups by schedule that were whole before the retention period began.
///
/// Their age is what the backups after them prove, step by step: a step back and one that is too long do not count. So a
/// clock that is set forward deletes nothing, nor does a schedule that fails. Where every step is too long, since the machine is off on
/// most days, so many backups after one prove it, too: more than the days that are kept twice over, and more than anybody sets a clock.
fn old_enough(holdings: &Holdings, retention: Retention, now: Timestamp) -> Vec<&Backup> {
    let keep_for = SignedDuration::from_hours(24 * i64::from(retention.days));
    let mut all: Vec<_> = automated(holdings).collect();
    all.sort_by_key(|backup| place(backup));
    let enough = 2 * retention.days as usize + 7;
    let (mut later, mut age, mut sound_after, mut old) = (now, SignedDuration::ZERO, 0, Vec::new());
    for backup in all.into_iter().rev() {
        let step = later.duration_since(backup.finished_at);
        if SignedDuration::ZERO <= step && step <= BELIEVED {
            age += step;
        }
        let is_proven = age >= keep_for || sound_after >= enough;
        if !backup.damaged && is_proven && now.duration_since(backup.finished_at) >= keep_for {
            old.push(backup);
        }
        sound_after += usize::from(!backup.damaged);
        later = backup.finished_at;
    }
    old
}

/// Everything of the schedule that is not kept, and the log that no backup which stays needs.
fn deletions(holdings: &Holdings, ways: &[Way], kept: &BTreeSet<&str>, log: Log) -> Vec<Deletion> {
    let stays = |backup: &&Backup| backup.kind != BackupKind::Automated || kept.contains(backup.name.as_str());
    let (stay, mut go): (Vec<&Backup>, Vec<&Backup>) = holdings.backups.iter().partition(stays);
    // What a backup that stays holds the changes since stays with it. No log is kept for its sake: nothing is restored to behind it.
    let bases: BTreeSet<&str> = stay.iter().filter_map(|backup| backup.base.as_deref()).collect();
    go.retain(|backup| !bases.contains(backup.name.as_str()));
    // Changes before what they are the changes since: cut short in between, what is left is whole.
    go.sort_by_key(|backup| (backup.base.is_none(), place(backup)));
    let mut deletions: Vec<_> = go.iter().map(|backup| Deletion::Backup(backup.name.clone())).collect();
    // Without any backup nobody knows what the one that is being taken will need.
    let size = match holdings.backups.first() {
        Some(backup) => backup.wal_segment_bytes,
        None if log == Log::Consistent => 1,
        None => return deletions,
    };
    let needs: Vec<Need> = ways.iter().map(|way| Need::of(&stay, way, log, size)).collect();
    let needed = |segment: SegmentName| {
        let number = segment.number(size);
        ways.iter().zip(&needs).any(|(way, need)| need.has(number) && passes(way, segment.timeline, number, size))
    };
    // Where timelines come from is worth more than the bytes it takes: histories stay.
    let segments = holdings.wal.iter().filter_map(|file| Some((file.name.segment()?, file.name)));
    let unneeded = segments.filter(|(segment, _)| !needed(*segment));
    let in_order: BTreeMap<(u64, Timeline, WalName), WalName> =
        unneeded.map(|(segment, name)| ((segment.number(size), segment.timeline, name), name)).collect();
    deletions.extend(in_order.into_values().map(Deletion::Wal));
    deletions
}

/// Whether a segment is on a way, or beside the one that is: the unfinished end of a timeline, which the next one's segment
/// begins with.
fn passes(way: &Way, timeline: Timeline, number: u64, size: u64) -> bool {
    let mine = timeline_of(number, &way.legs, size) == Some(timeline);
    mine || way.legs.iter().any(|leg| leg.timeline == timeline)
}

/// The segments, by number, that are needed on one way.
struct Need {
    /// This one and all after it.
    from: Option<u64>,
    /// Both included.
    ranges: Vec<(u64, u64)>,
}

impl Need {
    fn of(stay: &[&Backup], way: &Way, log: Log, size: u64) -> Self {
        let first = |backup: &Backup| backup.start_lsn.segment(size);
        let last = |backup: &Backup| Lsn(backup.end_lsn.0.saturating_sub(1)).segment(size);
        let mine: Vec<&Backup> = stay.iter().copied().filter(|backup| is_on(backup, &way.legs)).collect();
        let automated = mine.iter().filter(|backup| backup.kind == BackupKind::Automated);
        let from = match log {
            // As long as the schedule does not cover the period, any other backup may have to do; without any, all is kept for
            // the one that is being taken.
            Log::All if !way.covered => mine.iter().map(|backup| first(backup)).min().or(Some(0)),
            Log::All => automated.map(|backup| first(backup)).min(),
            Log::SinceNewest => mine.iter().map(|backup| first(backup)).max().or(Some(0)),
            Log::Consistent => None,
        };
        let needs_log = mine.iter().filter(|backup| !backup.self_contained);
        let ranges = needs_log.map(|backup| (first(backup), last(backup))).collect();
        Self { from: from.filter(|_| way.goes_on), ranges }
    }

    fn has(&self, number: u64) -> bool {
        let in_range = |range: &(u64, u64)| range.0 <= number && number <= range.1;
        self.from.is_some_and(|from| from <= number) || self.ranges.iter().any(in_range)
    }
}
