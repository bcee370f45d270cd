//! What can be restored: each moment needs a backup from before it and the unbroken log from that backup's start.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wal::{History, Lsn, SegmentName, Timeline, WalName};
use super::{Backup, Holdings};

/// A part of the way to a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Whose log is replayed.
    pub timeline: Timeline,
    /// From where.
    pub from: Lsn,
    /// Up to where; `None`: it is the last leg.
    pub to: Option<Lsn>,
}

/// How far the log goes on unbroken from one backup, on the way to one timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The backup's name.
    pub backup: String,
    /// The timeline it leads to.
    pub timeline: Timeline,
    /// The earliest moment that can be restored: the backup was consistent then.
    pub from: Timestamp,
    /// The segment up to which nothing is missing; `None`: not even the first one is there.
    pub last: Option<SegmentName>,
    /// When that segment was last written to. Everything that was committed before it was is in the log up to here.
    pub until: Option<Timestamp>,
    /// Whether the backup can be restored at all: the log up to its consistency is there, or it holds that itself.
    pub consistent: bool,
    /// Segments that are missing while later ones are there, in order.
    pub gaps: Vec<Gap>,
}

/// Segments that are missing in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first.
    pub first: SegmentName,
    /// The last.
    pub last: SegmentName,
    /// How many.
    pub segments: u64,
}

/// Moments that can be restored, as far as the log tells: PostgreSQL finds the last commit before any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The timeline that is followed.
    pub timeline: Timeline,
    /// The earliest.
    pub from: Timestamp,
    /// The latest that is certain: what the archive got last was written up to then. What was committed later is only in
    /// the server's own log.
    pub to: Timestamp,
}

/// The way from the first timeline to this one. Where no history says otherwise, it is the first.
pub fn lineage(timeline: Timeline, histories: &[History]) -> Vec<Leg> {
    let switches = histories.iter().find(|history| history.timeline == timeline);
    let mut from = Lsn(0);
    let mut legs = Vec::new();
    for switch in switches.map_or(&[][..], |history| &history.switches) {
        legs.push(Leg { timeline: switch.from, from, to: Some(switch.at) });
        from = switch.at;
    }
    legs.push(Leg { timeline, from, to: None });
    legs
}

/// The ways to all timelines that no other one comes from.
pub fn lineages(holdings: &Holdings) -> Vec<Vec<Leg>> {
    let mut timelines: BTreeSet<Timeline> = holdings.wal.iter().map(|file| file.name.timeline()).collect();
    timelines.extend(holdings.backups.iter().map(|backup| backup.timeline));
    timelines.extend(holdings.histories.iter().map(|history| history.timeline));
    let left: BTreeSet<Timeline> =
        holdings.histories.iter().flat_map(|history| &history.switches).map(|switch| switch.from).collect();
    timelines.into_iter().filter(|timeline| !left.contains(timeline)).map(|t| lineage(t, &holdings.histories)).collect()
}

/// Whether a backup is on a way: its timeline is, and was not left before it was consistent.
pub(super) fn is_on(backup: &Backup, legs: &[Leg]) -> bool {
    legs.iter().any(|leg| leg.timeline == backup.timeline && leg.to.is_none_or(|to| backup.end_lsn <= to))
}

/// The timeline whose segment of that number PostgreSQL replays: of the segment in which a timeline was left, the new
/// timeline's, which begins with a copy of the old one's.
pub(super) fn timeline_of(number: u64, legs: &[Leg], segment_bytes: u64) -> Option<Timeline> {
    timelines_of(number, legs, segment_bytes).next()
}

/// The timelines in whose log a segment of that number may be, in the order in which PostgreSQL looks for it: where the new one's was
/// never written, it replays the old one's.
pub fn timelines_of(number: u64, legs: &[Leg], segment_bytes: u64) -> impl Iterator<Item = Timeline> {
    let has = move |leg: &&Leg| {
        let is_before = leg.to.is_none_or(|to| number <= to.segment(segment_bytes));
        leg.from.segment(segment_bytes) <= number && is_before
    };
    legs.iter().rev().filter(has).map(|leg| leg.timeline)
}

/// Timelines of which there is something, and not where they come from: nobody who replays the log of an earlier one goes on to them, nor
/// notices that there is more. Only the first of a generation may come from elsewhere.
pub fn without_history(holdings: &Holdings) -> Vec<Timeline> {
    let mut timelines: BTreeSet<Timeline> =
        holdings.wal.iter().filter(|file| file.name.segment().is_some()).map(|file| file.name.timeline()).collect();
    timelines.extend(holdings.backups.iter().map(|backup| backup.timeline));
    let is_known = |timeline: &Timeline| holdings.histories.iter().any(|history| history.timeline == *timeline);
    timelines.into_iter().skip(1).filter(|timeline| !is_known(timeline)).collect()
}

/// For every backup, how far the log goes on from it; a backup several timelines come from has a chain for each.
pub fn chains(holdings: &Holdings) -> Vec<Chain> {
    let ways = lineages(holdings);
    let on = |backup| ways.iter().filter(move |legs| is_on(backup, legs));
    holdings.backups.iter().flat_map(|backup| on(backup).map(|legs| chain(backup, legs, holdings))).collect()
}

/// How far the log goes on from a backup on the way to a timeline; `None`: it does not lead there.
pub fn chain_to(timeline: Timeline, backup: &Backup, holdings: &Holdings) -> Option<Chain> {
    let legs = lineage(timeline, &holdings.histories);
    is_on(backup, &legs).then(|| chain(backup, &legs, holdings))
}

/// The moments that can be restored, in order; a gap in the log or a damaged backup between them is a hole.
pub fn reach(holdings: &Holdings) -> Vec<Reach> {
    let sound = |chain: &Chain| holdings.backups.iter().any(|backup| backup.name == chain.backup && !backup.damaged);
    let range = |chain: &Chain| {
        let to = chain.until.map_or(chain.from, |until| until.max(chain.from));
        Reach { timeline: chain.timeline, from: chain.from, to }
    };
    let usable = |chain: &&Chain| chain.consistent && sound(chain);
    let mut all: Vec<_> = chains(holdings).iter().filter(usable).map(range).collect();
    all.sort_by_key(|range| (range.timeline, range.from));
    let mut merged: Vec<Reach> = Vec::new();
    for range in all {
        match merged.last_mut() {
            Some(last) if last.timeline == range.timeline && range.from <= last.to => last.to = last.to.max(range.to),
            _ => merged.push(range),
        }
    }
    merged
}

fn chain(backup: &Backup, legs: &[Leg], holdings: &Holdings) -> Chain {
    let size = backup.wal_segment_bytes;
    let first = backup.start_lsn.segment(size);
    let name = |number| {
        let timeline = timeline_of(number, legs, size).unwrap_or(backup.timeline);
        SegmentName::new(timeline, number, size)
    };
    let number = |file: WalName| match file {
        WalName::Segment(segment) => Some(segment.number(size)).filter(|number| name(*number) == segment),
        WalName::History(_) | WalName::BackupNote(..) | WalName::Partial(_) => None,
    };
    let there: BTreeSet<u64> =
        holdings.wal.iter().filter_map(|file| number(file.name)).filter(|number| *number >= first).collect();
    let (mut next, mut last, mut gaps) = (first, None, Vec::new());
    for number in there {
        if number > next {
            gaps.push(Gap { first: name(next), last: name(number - 1), segments: number - next });
        }
        if gaps.is_empty() {
            last = Some(number);
        }
        next = number + 1;
    }
    // The end is the place behind the last record.
    let needed = Lsn(backup.end_lsn.0.saturating_sub(1)).segment(size).max(first);
    let file = last.map(|last| WalName::Segment(name(last)));
    let until = file.and_then(|file| holdings.wal.iter().find(|other| other.name == file)?.written_at);
    Chain {
        backup: backup.name.clone(),
        timeline: legs.last().map_or(backup.timeline, |leg| leg.timeline),
        from: backup.finished_at,
        last: last.map(name),
        until,
        consistent: backup.self_contained || last.is_some_and(|last| last >= needed),
        gaps,
    }
}
