//! Which backup holds everything, and which only what changed since another.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::reach::chains;
use super::wal::Timeline;
use super::{Backup, BackupKind, Holdings};
use crate::version::Version;

/// The first major version whose servers tell what changed since a backup.
const FIRST_MAJOR: u32 = 17;
/// A whole one is taken once a week, or as often as there are days to go back, so that not all of them lean on one.
const WHOLE_EVERY_DAYS: u32 = 7;
/// Windows are a day apart: one that is that much early is the right one.
const EARLY: SignedDuration = SignedDuration::from_hours(12);

/// Whether servers of a version tell what changed since a backup.
pub fn knows_changes(version: Version) -> bool {
    version.major >= FIRST_MAJOR
}

/// The whole backup whose changes the next one by schedule holds; `None`: it is to be whole itself.
///
/// All are changes since the last whole one, and not since each other: a restore reads two, and one that is damaged takes no other down. It
/// has to have been read back, to be of the same timeline and major version, and less than a week old, or than the days that can be gone back; and once the changes are
/// half of it, another whole one costs little more. What somebody asked for, and the last one of a database, stand alone.
pub fn base_for(
    kind: BackupKind,
    version: Version,
    timeline: Timeline,
    backups: &[Backup],
    retention_days: u32,
    now: Timestamp,
) -> Option<&Backup> {
    if kind != BackupKind::Automated || !knows_changes(version) {
        return None;
    }
    let is_whole = |backup: &&Backup| backup.kind == BackupKind::Automated && backup.base.is_none();
    // In the order of the log: clocks may be set.
    let base = backups.iter().filter(is_whole).max_by_key(|backup| (backup.timeline, backup.start_lsn))?;
    let age = now.duration_since(base.taken_at);
    let every = SignedDuration::from_hours(24 * i64::from(retention_days.clamp(1, WHOLE_EVERY_DAYS))) - EARLY;
    let is_young = SignedDuration::ZERO <= age && age < every;
    let is_same =
        Version::parse(&base.version).is_some_and(|of| of.major == version.major) && base.timeline == timeline;
    let mut changes = backups.iter().filter(|backup| backup.base.as_deref() == Some(base.name.as_str()));
    let is_large = changes.any(|backup| backup.bytes.saturating_mul(2) > base.bytes);
    let is_good = !base.damaged && base.verified_at.is_some();
    (is_young && is_same && is_good && !is_large).then_some(base)
}

/// The backups that are kept only for those that hold the changes since them: the log behind them has gone, and nobody restores to a moment
/// from them.
pub fn kept_for_changes(holdings: &Holdings) -> BTreeSet<&str> {
    let bases = holdings.backups.iter().filter_map(|backup| backup.base.as_deref()).collect::<BTreeSet<_>>();
    let chains = chains(holdings);
    let has_log = |name: &str| chains.iter().any(|chain| chain.backup == name && chain.last.is_some());
    bases.into_iter().filter(|name| !has_log(name)).collect()
}

/// Bytes that unpacking a backup takes at most. Changes lie beside what they are changes of, and beside what is made of both.
pub fn room_for(backup: &Backup, backups: &[Backup]) -> u64 {
    let base = backup.base.as_ref().and_then(|base| backups.iter().find(|known| known.name == *base));
    match base {
        Some(base) => base.original_bytes.saturating_add(backup.original_bytes).saturating_mul(2),
        None => backup.original_bytes,
    }
}
