//! Room on the disk that servers write to: what is copied beside them leaves them some.

use std::path::Path;
use std::time::Duration;

use pgherd_archive::ArchiveError;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::store;
use crate::paths::Layout;
use crate::postgres::processes;
use crate::storage;

/// How often it is looked how much is left while something grows.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So much stays free for the servers that write to the same disk: one that cannot write its log ends.
const RESERVE_BYTES: u64 = 256 << 20;

/// Refuses what would fill the disk of a folder, or of the nearest one above it that is there.
pub fn refuse_without_room(folder: &Path, bytes: u64) -> Result<(), ProviderError> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    let needed = bytes.saturating_add(RESERVE_BYTES);
    let Some(free) = storage::free_bytes(there).filter(|free| *free < needed) else { return Ok(()) };
    let mib = |bytes: u64| bytes >> 20;
    let message = format!(
        "{} has {} MiB free, and {} MiB are needed: a copy of the data and some for the servers",
        there.display(),
        mib(free),
        mib(needed)
    );
    Err(ProviderError::new(ErrorKind::Unavailable, message)
        .help("make room, or move the state folder to a larger disk"))
}

/// Refuses to take more of what a folder's disk has left.
pub fn leave_room(folder: &Path) -> Result<(), ArchiveError> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    let Some(free) = storage::free_bytes(there).filter(|free| *free < RESERVE_BYTES) else { return Ok(()) };
    let (free, reserve) = (free >> 20, RESERVE_BYTES >> 20);
    Err(ArchiveError {
        kind: pgherd_archive::ErrorKind::Full,
        message: format!("{} has {free} MiB free, and {reserve} MiB stay for the servers", there.display()),
        help: Some(
            "make room, or move the state folder to a larger disk; nothing that is stored was touched".to_owned(),
        ),
    })
}

/// Has something grow in a place for as long as there is room; then whatever works there is ended, before servers cannot write their log.
pub async fn within<T>(
    place: &Layout,
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let filled = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let folder = place.root.clone();
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || leave_room(&folder)).await {
                return error;
            }
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        error = filled => {
            processes::kill(&place.data).await?;
            Err(store::refused(error))
        }
    }
}
