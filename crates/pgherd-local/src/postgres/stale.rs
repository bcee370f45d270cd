//! Lock files that name a process which is not their server any more.
//!
//! PostgreSQL takes a lock file of its for held as long as any process of the same user has the number in it. After a reboot
//! numbers begin anew, and that process is soon another instance's: without help the server would not start until it ends.

use std::path::Path;

use super::processes::{self, Process};
use super::{Result, io_error};
use crate::paths::Layout;

/// Removes the lock files of a server that does not run (its data directory has no process) where they name another process.
/// Those that name nobody PostgreSQL removes itself; a dead one that nobody reaped yet is left, it has to be reaped first.
pub fn remove(layout: &Layout, port: u16) -> Result<()> {
    for lock in [layout.postmaster_pid(), layout.socket.join(format!(".s.PGSQL.{port}.lock"))] {
        let Ok(text) = std::fs::read_to_string(&lock) else { continue };
        if named(&text).and_then(processes::read).is_some_and(|process| is_anothers(&process)) {
            std::fs::remove_file(&lock).map_err(|error| io_error("remove", &lock, &error))?;
            super::packed::sync_folder(lock.parent().unwrap_or(Path::new("/")))?;
        }
    }
    Ok(())
}

/// The caller has made sure that no process works in the data directory: one that lives is another's.
fn is_anothers(process: &Process) -> bool {
    !process.zombie
}

fn named(lock: &str) -> Option<i32> {
    // A negative number is a server without a postmaster (`postgres --single`).
    lock.lines().next()?.trim().parse::<i32>().ok().map(i32::abs)
}
