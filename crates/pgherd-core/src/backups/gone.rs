//! What stays of a database that was destroyed with a last backup, and for how long.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::expire::{BELIEVED, Deletion, consistent_only};
use super::{Backup, BackupKind, Holdings};

/// A server that is shut down archives a few segments behind its last backup; with more, or another timeline, it went on.
const SEGMENTS_BEHIND: u64 = 3;
/// So long everything stays: as long as anybody may have wanted to go back in it.
const KEPT_S: i64 = 35 * 24 * 3600;

/// For how long a database has been gone, as far as looks at it prove: a clock that is set forward, and a machine that is off, prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Seconds.
    pub for_s: i64,
    /// When it was last looked.
    pub seen_at: Timestamp,
}

impl Gone {
    /// It was not seen to be gone before.
    pub fn new(now: Timestamp) -> Self {
        Self { for_s: 0, seen_at: now }
    }

    /// It is still gone.
    #[must_use]
    pub fn seen(self, now: Timestamp) -> Self {
        let step = now.duration_since(self.seen_at);
        let counts = SignedDuration::ZERO <= step && step <= BELIEVED;
        Self { for_s: self.for_s + if counts { step.as_secs() } else { 0 }, seen_at: now }
    }
}

/// What may be deleted from the generations of a database that is gone, each with what is in it, the oldest first: once it has been gone
/// for 35 days, what the schedule took and the log that no other backup needs. Only where the last generation ends with a sound last
/// backup, and little log behind it: otherwise nobody destroyed it, and it is its machine that is gone.
pub fn expire_gone(generations: &[Holdings], gone: Gone) -> Vec<Vec<Deletion>> {
    let is_last = |backup: &Backup| backup.kind == BackupKind::Final && !backup.damaged && backup.verified_at.is_some();
    let ends_with = |holdings: &Holdings| {
        holdings.backups.last().is_some_and(|last| is_last(last) && !has_log_beyond(holdings, last))
    };
    let ended = generations.last().is_some_and(ends_with);
    if !ended || gone.for_s < KEPT_S {
        return generations.iter().map(|_| Vec::new()).collect();
    }
    generations.iter().map(|holdings| consistent_only(holdings, &BTreeSet::new())).collect()
}

/// Whether a database went on after a last backup: the attempt to destroy it failed.
fn has_log_beyond(holdings: &Holdings, last: &Backup) -> bool {
    let end = last.end_lsn.segment(last.wal_segment_bytes) + SEGMENTS_BEHIND;
    let segments = || holdings.wal.iter().filter_map(|file| file.name.segment());
    segments().any(|segment| segment.timeline > last.timeline || segment.number(last.wal_segment_bytes) > end)
}
