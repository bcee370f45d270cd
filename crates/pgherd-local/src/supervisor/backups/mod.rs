//! Backups and archive of all instances, beside the loops that keep them: what is due is taken, what nobody needs any more is
//! deleted, what a failover left unarchived is stored, and what the archive fails at is told.
//!
//! Invariant: one instance has one backup, restore or deletion of backups going on at a time.

pub mod archive;
mod desk;
mod drill;
mod legacy;
mod now;
mod restore;
mod schedule;
mod store;
mod take;

pub use desk::Desk;
pub use drill::last as last_drill;
pub use now::{ask_backup, ask_drill, ask_restore};
pub use restore::{Restored, forget_cut_short};
pub use schedule::keep;
pub use take::{let_go, take_last};

use std::sync::Arc;

use jiff::Timestamp;
use pgherd_core::backups::{self as core, BackupKind};
use pgherd_engine::provider::ProviderError;

use super::agent::Agent;
use super::messages::{Backup, BackupsReport, Span};
use super::site::blocking;

/// What there is of an instance, which may be gone.
pub async fn report(agent: &Arc<Agent>, name: &str) -> Result<BackupsReport, ProviderError> {
    agent.history(name)?;
    let (agent, name) = (agent.clone(), name.to_owned());
    blocking(move || report_of(&agent, &name)).await
}

fn report_of(agent: &Agent, name: &str) -> Result<BackupsReport, ProviderError> {
    let mut kept = legacy::list(agent, name);
    let mut reaches = Vec::new();
    if let Some(repository) = store::open_if_there(agent)? {
        for generation in store::generations(&repository, name)? {
            let holdings = generation.holdings().map_err(store::refused)?;
            let number = generation.info().number;
            kept.extend(holdings.backups.iter().map(|backup| told(agent, name, number, backup)));
            reaches.extend(core::reach(&holdings));
        }
    }
    kept.sort_by_key(|backup| backup.taken_at);
    // What was restored from one generation goes on in the next: one stretch, as far as anybody asks.
    let since: Option<Timestamp> = reaches.iter().map(|reach| reach.from).min();
    let until = reaches.iter().map(|reach| reach.to).max();
    Ok(BackupsReport { kept, restorable: since.zip(until).map(|(since, until)| Span { since, until }) })
}

fn told(agent: &Agent, name: &str, generation: u32, backup: &core::Backup) -> Backup {
    Backup {
        name: backup.name.clone(),
        taken_at: backup.taken_at,
        bytes: backup.bytes,
        path: store::folder(agent).join(name).join(format!("{generation:04}/backups/{}", backup.name)),
        automatic: backup.kind == BackupKind::Automated,
        engine_version: Some(backup.version.clone()),
        encrypted: Some(backup.key.is_some()),
        start_lsn: Some(backup.start_lsn.to_string()),
        verified_at: backup.verified_at,
    }
}
