//! Telling whoever watches how far a copy is.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::log::Segments;
use crate::postgres::replaying;
use crate::storage;
use crate::supervisor::requests::{Counted, Watcher};

/// After so much is looked whether there is room for more.
const LOOK_FOR_ROOM_BYTES: u64 = 16 << 20;
/// How often it is measured how far a copy is.
const MEASURE_EVERY: Duration = Duration::from_millis(500);

/// Something that is read, and told as it is.
pub struct Heard<'a, R> {
    from: R,
    read: u64,
    /// What was read of others before it.
    before: u64,
    told: &'a mut Counted,
    /// Where it goes, which is to have room left.
    to: PathBuf,
    looked_at: u64,
}

impl<'a, R> Heard<'a, R> {
    /// Nothing of it is read yet, and so much of others.
    pub fn new(from: R, before: u64, told: &'a mut Counted, to: &Path) -> Self {
        Self { from, read: 0, before, told, to: to.to_owned(), looked_at: 0 }
    }
}

impl<R: Read> Read for Heard<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.read += count as u64;
        self.told.at(self.before + self.read);
        if self.read - self.looked_at >= LOOK_FOR_ROOM_BYTES {
            self.looked_at = self.read;
            super::leave_room(&self.to).map_err(std::io::Error::from)?;
        }
        Ok(count)
    }
}

/// Tells how far a copy of a folder is while it is made by somebody else.
pub async fn tell_growth<T>(copying: impl Future<Output = T>, copy: PathBuf, source: PathBuf, watcher: &Watcher) -> T {
    told_of(copying, || used(copy.clone()), used(source), watcher).await
}

/// The same of what is counted by whoever copies.
pub async fn tell_count<T>(
    copying: impl Future<Output = T>,
    come: &AtomicU64,
    source: PathBuf,
    watcher: &Watcher,
) -> T {
    told_of(copying, || std::future::ready(Some(come.load(Ordering::Relaxed))), used(source), watcher).await
}

/// The same of log that is replayed in a data directory.
pub async fn tell_replay<T>(
    replaying: impl Future<Output = T>,
    data: PathBuf,
    segments: Segments,
    watcher: &Watcher,
) -> T {
    let Segments { first, last, bytes } = segments;
    let replayed = || {
        let data = data.clone();
        async move {
            let file = tokio::task::spawn_blocking(move || replaying::file_of(&data)).await.ok().flatten()?;
            Some(file.number(bytes).saturating_sub(first) * bytes)
        }
    };
    let total = (last + 1).saturating_sub(first) * bytes;
    told_of(replaying, replayed, std::future::ready(Some(total)), watcher).await
}

async fn used(folder: PathBuf) -> Option<u64> {
    tokio::task::spawn_blocking(move || storage::used_bytes(&folder)).await.ok().flatten()
}

async fn told_of<T, D: Future<Output = Option<u64>>>(
    copying: impl Future<Output = T>,
    done: impl Fn() -> D,
    total: impl Future<Output = Option<u64>>,
    watcher: &Watcher,
) -> T {
    let growing = async {
        let mut told = watcher.progress(total.await);
        loop {
            tokio::time::sleep(MEASURE_EVERY).await;
            if let Some(done) = done().await {
                told.at(done);
            }
        }
    };
    tokio::select! {
        biased;
        copied = copying => copied,
        () = growing => unreachable!("it is measured without end"),
    }
}
