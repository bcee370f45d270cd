//! What a data directory says of itself, without its server.

use std::io::ErrorKind;
use std::path::Path;

use pgherd_core::ha::{Control, Data, Disk, LastRole, Lsn};

use super::making::MADE;
use super::pg_control::{self, PgControl, State};
use super::{history, wal};
use crate::paths::Layout;

/// A server that finds less than this cannot put down its next file of the log.
const ROOM_MIN_BYTES: u64 = 32 << 20;

/// Looks at the data directory of a node. `mib`: its size, where it was measured. Blocking: a disk that does not answer holds
/// it up for ever.
pub fn data(layout: &Layout, mib: Option<u32>) -> Data {
    let data = &layout.data;
    match std::fs::symlink_metadata(data) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Data::Absent,
        Err(_) => return Data::Unknown,
        Ok(_) => {}
    }
    match pg_control::read(data) {
        Ok(found) => control(layout, &found, mib).map_or(Data::Unknown, Data::Present),
        // It is there, and is no data directory, or a damaged one, or somebody else's.
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidData | ErrorKind::PermissionDenied => {
                Data::Foreign
            }
            _ => Data::Unknown,
        },
    }
}

/// Whether the disk below a node can be written to. Blocking.
pub fn disk(layout: &Layout) -> Disk {
    let on = [&layout.data, layout.folder()].into_iter().find_map(|path| rustix::fs::statvfs(path).ok());
    match on {
        None => Disk::Unknown,
        // A file system that found itself damaged is mounted anew, for reading only.
        Some(found) if found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) => Disk::Failing,
        Some(found) if found.f_bavail.saturating_mul(found.f_frsize) < ROOM_MIN_BYTES => Disk::Full,
        Some(_) => Disk::Well,
    }
}

/// Whether copy or rewind `serial` was completed here: it is not done again, since what ran as a server meanwhile is worth more.
pub(super) fn is_made_by(layout: &Layout, serial: u64) -> bool {
    made_by(&layout.data) == Some(serial) && !layout.torn().exists()
}

/// What it last ran as. A copy that was never started has its primary's `pg_control`.
pub(super) fn last_role(data: &Path, control: &PgControl) -> LastRole {
    match control.state {
        State::ShutDownInRecovery | State::InArchiveRecovery => LastRole::Standby,
        State::ShutDown | State::Primary if is_a_new_copy(data) => LastRole::Standby,
        State::ShutDown | State::Primary => LastRole::Primary,
    }
}

fn control(layout: &Layout, found: &PgControl, mib: Option<u32>) -> std::io::Result<Control> {
    let data = &layout.data;
    let known = found.timeline.max(found.minimum_recovery_timeline);
    Ok(Control {
        system_id: found.system_id,
        timeline: known.max(history::newest(data)?),
        last_role: last_role(data, found),
        clean: matches!(found.state, State::ShutDown | State::ShutDownInRecovery) && !is_a_new_copy(data),
        end: end(data, found),
        made_by: made_by(data),
        torn: layout.torn().exists(),
        mib,
    })
}

/// PostgreSQL takes this label away when it has begun to recover from it, after it has said so in `pg_control`. One alone may
/// be left by a backup of a running primary (up to 14).
fn is_a_new_copy(data: &Path) -> bool {
    ["backup_label", "standby.signal", MADE].iter().all(|name| data.join(name).exists())
}

/// Where its log ends: of a primary that was shut down properly behind the shutdown checkpoint, which is its last record; of a
/// standby at least where it has to replay to. Of a primary that ended by itself it cannot be told without reading the log.
fn end(data: &Path, found: &PgControl) -> Option<Lsn> {
    if is_a_new_copy(data) {
        return None;
    }
    match found.state {
        State::ShutDown => wal::end_of_record(data, found.timeline, found.checkpoint, found.segment_bytes),
        State::ShutDownInRecovery | State::InArchiveRecovery => {
            Some(found.minimum_recovery).filter(|minimum| minimum.0 > 0)
        }
        State::Primary => None,
    }
}

fn made_by(data: &Path) -> Option<u64> {
    std::fs::read_to_string(data.join(MADE)).ok()?.trim().parse().ok()
}
