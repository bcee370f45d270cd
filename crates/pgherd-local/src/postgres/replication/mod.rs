//! The hands of [`pgherd_core::ha`]: each does what it is told to one server of an instance, and none decides anything.
//!
//! Every one may be done twice and be cut short anywhere, by SIGKILL too: what it leaves behind is told by
//! [`look`](look::look()). What waits has a deadline.

mod ask;
mod attempt;
pub mod checkpoint;
pub mod directory;
pub mod examine;
pub mod fence;
pub mod follow;
mod history;
pub mod look;
pub mod making;
mod pg_control;
pub mod probe;
pub mod promote;
pub mod rewind;
pub mod role;
pub mod slots;
pub mod start;
pub mod sync;
pub mod tools;
mod wal;

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::Result;
use super::runas::RunAs;
use super::server::Server;
use crate::paths::Layout;

/// Size of a segment of a cluster's log. Blocking, but quick.
pub fn wal_segment_bytes(data: &std::path::Path) -> Result<u64> {
    pg_control::read(data)
        .map(|control| control.segment_bytes)
        .map_err(|error| super::io_error("read pg_control of", data, &error))
}

/// One server of an instance: where it lives and with which programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub id: NodeId,
    /// Its folders: [`Layout::node`].
    pub layout: Layout,
    /// Its own port, which also names its socket.
    pub port: u16,
    /// Its programs.
    pub server: Server,
    /// As whom it runs.
    pub run_as: RunAs,
}

/// Runs work that waits for a disk where that holds nobody else up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// An error when any process of the server lives in its data directory, or a tool of ours works on it.
fn nobody_at_work(layout: &Layout) -> Result<()> {
    let alive = fence::alive(layout);
    match alive.first() {
        None => Ok(()),
        Some(pid) => {
            let message = format!("process {pid} works in {}", layout.data.display());
            Err(ProviderError::new(ErrorKind::Conflict, message))
        }
    }
}
