//! Another key for what is stored from now on.

use std::sync::Arc;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::mpsc;

use super::store;
use crate::supervisor::agent::Agent;
use crate::supervisor::messages::Line;
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::{Site, blocking};

/// Puts a new key before those that are there, which stay to read what they encrypted. It is one file for all databases of the agent.
pub fn ask_new_key(agent: &Arc<Agent>, name: &str) -> Result<mpsc::UnboundedReceiver<Line>, ProviderError> {
    let shown = agent.shown(name)?;
    if let Some(file) = &shown.record.wanted.backup_key_file {
        let message = format!("what is stored of {name} is encrypted with a key file of your own");
        return Err(ProviderError::new(ErrorKind::Unsupported, message)
            .help(format!("write a new key as the first line of {}, and leave the others below it", file.display())));
    }
    let (watcher, lines) = Watcher::new();
    let (site, own, encrypted) = (Site::of(agent.clone(), name), agent.clone(), shown.record.wanted.backup_encrypted);
    agent.spawn(async move {
        let made = blocking(move || store::rotate(&own)).await;
        if made.is_ok() && encrypted {
            site.note("what is stored from now on is encrypted with a new key");
        } else if made.is_ok() {
            site.note("there is a new key for backups of this machine; those of this database are not encrypted");
        }
        watcher.result(made);
    });
    Ok(lines)
}
