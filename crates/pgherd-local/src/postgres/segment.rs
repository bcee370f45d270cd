//! The segment of System V shared memory that each server has, and leaves behind when it is killed.
//!
//! It holds 56 bytes, and is how PostgreSQL sees at a start whether somebody still works in the data directory
//! (`PGSharedMemoryCreate` in `src/backend/port/sysv_shmem.c`). The next start in the same directory removes it, by its number in
//! `postmaster.pid`. Where that file or the directory goes first nobody does, and a machine has room for 4096
//! (`/proc/sys/kernel/shmmni`): then no server starts any more, "No space left on device".
//!
//! It also names the server's dynamic shared memory, megabytes that only it knows of: see `dynamic.rs`.

use std::path::Path;

use super::dynamic;
use super::pidfile::Segment;

/// All segments of this machine, or of this IPC namespace.
const TABLE: &str = "/proc/sysvipc/shm";

/// Removes what the last server of `data` left, unless somebody is attached. Best effort, and repeatable.
pub fn remove(data: &Path) {
    let Some(segment) = std::fs::read_to_string(data.join("postmaster.pid")).ok().as_deref().and_then(Segment::parse)
    else {
        return;
    };
    let Ok(table) = std::fs::read_to_string(TABLE) else { return };
    if let Some(owner) = owner_if_left(&table, segment) {
        if let Some(control) = header(segment.id).as_deref().and_then(dynamic::control_of) {
            dynamic::remove(control, owner);
        }
        remove_by_id(segment.id);
    }
}

/// Removes what killed servers left whose data directories are anywhere below `folder`.
pub fn remove_below(folder: &Path) {
    remove(folder);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_below(&entry.path());
    }
}

/// The user whose segment this is, when it is there and nobody is attached to it. The number alone may have come to mean another
/// one.
fn owner_if_left(table: &str, segment: Segment) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // key shmid perms size cpid lpid nattch uid …: `sysvipc_shm_proc_show` in the kernel's ipc/shm.c.
        let [key, id, _, _, _, _, attached, owner, ..] = columns.as_slice() else { return None };
        let is_it = key.parse() == Ok(segment.key) && id.parse() == Ok(segment.id);
        (is_it && *attached == "0").then(|| owner.parse().ok())?
    })
}

/// The first bytes of a segment, as many as PostgreSQL's header has.
#[expect(unsafe_code, reason = "no well-kept library has shmat; the segment is read once and let go of")]
fn header(id: i32) -> Option<Vec<u8>> {
    // SAFETY: IPC_STAT fills the structure that it is given, for which zeroes are a value; an address of null lets the kernel
    // choose one; the bytes are read while the segment is attached and are as many as it has; nobody else writes them, since nobody
    // is attached.
    unsafe {
        let mut about: libc::shmid_ds = std::mem::zeroed();
        if libc::shmctl(id, libc::IPC_STAT, &raw mut about) != 0 || about.shm_segsz < dynamic::HEADER_BYTES {
            return None;
        }
        let start = libc::shmat(id, std::ptr::null(), libc::SHM_RDONLY);
        if start.addr() == usize::MAX {
            return None;
        }
        let bytes = std::slice::from_raw_parts(start.cast::<u8>(), dynamic::HEADER_BYTES).to_vec();
        libc::shmdt(start);
        Some(bytes)
    }
}

#[expect(unsafe_code, reason = "no well-kept library has shmctl; with IPC_RMID it reads and writes no memory of ours")]
fn remove_by_id(id: i32) {
    // SAFETY: IPC_RMID takes no buffer, so the pointer is never followed.
    if unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) } != 0 {
        tracing::debug!(id, "a segment of shared memory stays: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime
  10575959      98304   600                    56 15408 15408      0   999   999   999   999 1700000000
 -10575960          1   600                    56 15409 15409      6   999   999   999   999 1700000000
";

    fn check(key: i32, id: i32, expected: Option<u32>) {
        assert_eq!(owner_if_left(TABLE, Segment { key, id }), expected, "{key} {id}");
    }

    #[test]
    fn a_segment_without_anybody_is_left() {
        check(10_575_959, 98304, Some(999));
    }

    #[test]
    fn one_that_is_in_use_is_not() {
        check(-10_575_960, 1, None);
    }

    #[test]
    fn another_ones_number_or_key_is_not_it() {
        check(10_575_959, 98305, None);
        check(10_575_958, 98304, None);
    }
}
