//! Backups and log, made up.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{
    Backup, BackupKind, Deletion, History, Holdings, Lsn, SegmentName, Switch, Timeline, WalFile, WalName,
};

/// Of a segment.
pub const SIZE: u64 = 16 << 20;

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// A backup that begins in segment `first` and is consistent in `last`.
pub fn backup(name: &str, timeline: u32, first: u64, last: u64, finished_at: Timestamp) -> Backup {
    Backup {
        name: name.to_owned(),
        kind: BackupKind::Automated,
        taken_at: finished_at - SignedDuration::from_mins(5),
        finished_at,
        timeline: Timeline(timeline),
        start_lsn: Lsn(first * SIZE + 0x28),
        end_lsn: Lsn(last * SIZE + 0x100),
        self_contained: false,
        wal_segment_bytes: SIZE,
        version: "15.18".to_owned(),
        system_identifier: 1,
        bytes: 1,
        original_bytes: 1,
        key: None,
        tags: BTreeMap::new(),
        verified_at: None,
        damaged: false,
        base: None,
    }
}

pub fn segment(timeline: u32, number: u64) -> WalName {
    WalName::Segment(SegmentName::new(Timeline(timeline), number, SIZE))
}

pub fn file(name: WalName, written_at: Timestamp) -> WalFile {
    WalFile { name, bytes: 1, written_at: Some(written_at), stored_at: None }
}

/// A timeline that left its parent in this segment.
pub fn history(timeline: u32, from: u32, segment: u64) -> History {
    let switch = Switch { from: Timeline(from), at: Lsn(segment * SIZE + 0x1000) };
    History { timeline: Timeline(timeline), switches: vec![switch] }
}

/// What is left after these deletions.
pub fn without(holdings: &Holdings, deletions: &[Deletion]) -> Holdings {
    let mut left = holdings.clone();
    left.backups.retain(|backup| !deletions.contains(&Deletion::Backup(backup.name.clone())));
    left.wal.retain(|file| !deletions.contains(&Deletion::Wal(file.name)));
    left
}

/// Deletions in short: names of backups, and numbers of segments with their timeline.
pub fn told(deletions: &[Deletion]) -> Vec<String> {
    let name = |deletion: &Deletion| match deletion {
        Deletion::Backup(name) => name.clone(),
        Deletion::Wal(name) => {
            let segment = name.segment().expect("histories are never deleted");
            format!("{}:{}", segment.timeline, segment.number(SIZE))
        }
    };
    deletions.iter().map(name).collect()
}
