//! One PostgreSQL instance: binaries, template, configuration, process, session.

pub mod backup;
pub mod candidate;
pub mod choose;
mod complaint;
pub mod conf;
pub mod control;
mod dynamic;
pub mod fetch;
pub mod find;
pub mod folders;
mod known;
pub(crate) mod notice;
pub(crate) mod packed;
pub mod pidfile;
pub mod prepared;
pub mod process;
pub mod processes;
pub mod recover;
pub mod replaying;
pub mod replication;
pub mod runas;
pub mod segment;
pub mod server;
pub mod session;
pub mod stale;
pub mod stream;
pub mod template;

use std::path::Path;

use pgherd_engine::provider::{ErrorKind, ProviderError};

/// What dealing with PostgreSQL gives.
pub type Result<T> = std::result::Result<T, ProviderError>;

/// The operating system refused something about a file.
pub(crate) fn io_error(doing: &str, path: &Path, error: &std::io::Error) -> ProviderError {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    ProviderError::new(kind, format!("cannot {doing} {}: {error}", path.display()))
}
