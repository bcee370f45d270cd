//! Lock files that name a process which is not their server any more.
//!
//! PostgreSQL takes a lock file of its for held as long as any process of the same user has the number in it (`kill(pid, 0)` in
//! `CreateLockFile`). After a reboot numbers begin anew, and that process is soon another instance's; and a dead postmaster keeps
//! its number until process 1 has reaped it, which some take seconds for and some never do.

use std::path::Path;

use super::{Result, io_error, processes};
use crate::paths::Layout;

/// Removes the lock files of a server that does not run where they name a process all the same. Those that name nobody PostgreSQL
/// removes itself.
///
/// The caller has made sure that no process lives in the data directory: the one that is named is another's, or dead.
pub fn remove(layout: &Layout, port: u16) -> Result<()> {
    // With its file PostgreSQL would lose sight of it.
    super::segment::remove(&layout.data);
    for lock in [layout.postmaster_pid(), layout.socket.join(format!(".s.PGSQL.{port}.lock"))] {
        let Ok(text) = std::fs::read_to_string(&lock) else { continue };
        if named(&text).and_then(processes::read).is_some() {
            std::fs::remove_file(&lock).map_err(|error| io_error("remove", &lock, &error))?;
            super::packed::sync_folder(lock.parent().unwrap_or(Path::new("/")))?;
        }
    }
    Ok(())
}

fn named(lock: &str) -> Option<i32> {
    // A negative number is a server without a postmaster (`postgres --single`).
    lock.lines().next()?.trim().parse::<i32>().ok().map(i32::abs)
}
