//! The directories of an agent, and the right to start one.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::{FlockOperation, flock};

/// Makes the state directory where it is missing and waits for the right to start its agent, given back when the file is
/// dropped.
pub async fn starting_turn(state_dir: &Path) -> Result<File, ProviderError> {
    let path = state_dir.to_owned();
    let turn = tokio::task::spawn_blocking(move || -> std::io::Result<File> {
        // Others may enter: PostgreSQL runs as another user below it when the agent is root.
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path.join("starting.lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    });
    turn.await.map_err(|error| std::io::Error::other(error.to_string())).flatten().map_err(|error| {
        let message = format!("the state directory {} cannot be used: {error}", state_dir.display());
        ProviderError::new(ErrorKind::Denied, message)
    })
}
