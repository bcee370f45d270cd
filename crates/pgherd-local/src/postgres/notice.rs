//! Waking up when something in a folder changes.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;

/// How often to look where the kernel gives no notice (its inotify instances are used up).
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Has tokio watch a descriptor.
#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may close the descriptor early; an OwnedFd cannot"
)]
pub(crate) fn watched(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

/// Notice of changes in one folder.
pub(crate) struct Notice(Option<AsyncFd<OwnedFd>>);

impl Notice {
    /// Of changes from now on.
    pub(crate) fn of(folder: &Path) -> Self {
        let watch = || {
            let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
            let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
            inotify::add_watch(&inotify, folder, changes).ok()?;
            watched(inotify).ok()
        };
        Self(watch())
    }

    /// Returns after the next change, or a little later; the caller looks for itself what it was.
    pub(crate) async fn next(&mut self) {
        let Some(inotify) = &self.0 else {
            return tokio::time::sleep(LOOK_EVERY).await;
        };
        let Ok(mut guard) = inotify.readable().await else {
            return tokio::time::sleep(LOOK_EVERY).await;
        };
        // What changed does not matter, only that the next wait is for a later change.
        let mut events = [0_u8; 4096];
        while rustix::io::read(inotify.get_ref(), &mut events).is_ok_and(|read| read > 0) {}
        guard.clear_ready();
    }
}
