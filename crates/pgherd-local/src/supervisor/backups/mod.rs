//! Backups and archive of all instances, beside the loops that keep them: what is due is taken, what nobody needs any more is
//! deleted, what a failover left unarchived is stored, and what the archive fails at is told.
//!
//! Invariant: one instance has one backup, restore or deletion of backups going on at a time.

pub mod archive;
mod care;
mod desk;
mod drill;
mod keys;
mod last;
mod legacy;
mod log;
mod now;
mod proof;
mod quiet;
mod reading;
mod recovery;
mod remains;
mod replace;
mod rest;
mod restore;
mod room;
#[cfg(test)]
mod samples;
mod schedule;
mod second;
mod serving;
mod source;
mod store;
mod take;
mod telling;

pub use care::last_check;
pub use desk::Desk;
pub use drill::last as last_drill;
pub use keys::ask_new_key;
pub use last::{let_go, take_last};
pub use now::{ask_backup, ask_check, ask_delete, ask_drill, ask_restore};
pub use replace::{
    Aside, Exchange, accept as accept_exchange, carry_out as exchange, is_untouched, let_go as let_go_of_aside,
};
pub use restore::{Restored, forget_cut_short};
pub use schedule::keep;
pub use second::{keep as keep_second, trouble as second_repository_trouble, warning as warning_of_copy};
pub use store::{folder as store_folder, trouble as first_repository_trouble};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgherd_archive::Repository;
use pgherd_core::backups::{self as core, BackupKind};
use pgherd_engine::provider::ProviderError;

use super::agent::Agent;
use super::messages::{Backup, BackupsReport, Span, Stored};
use super::site::blocking;
use room::{leave_room, refuse_without_room};

/// What there is of an instance, which may be gone.
pub async fn report(agent: &Arc<Agent>, name: &str) -> Result<BackupsReport, ProviderError> {
    agent.history(name)?;
    let (agent, name) = (agent.clone(), name.to_owned());
    blocking(move || report_of(&agent, &name)).await
}

fn report_of(agent: &Agent, name: &str) -> Result<BackupsReport, ProviderError> {
    let mut kept = legacy::list(agent, name);
    let mut reaches = Vec::new();
    if let Some(repository) = to_list(agent, name)? {
        let root = PathBuf::from(repository.location().to_string());
        for generation in store::readable_generations(&repository, name)? {
            let holdings = generation.holdings().map_err(store::refused)?;
            let number = generation.info().number;
            kept.extend(holdings.backups.iter().map(|backup| told(&root.join(name), number, backup)));
            let mut of_one = core::reach(&holdings);
            of_one.sort_by_key(|reach| reach.to);
            reaches.extend(of_one.into_iter().map(|reach| Span { since: reach.from, until: reach.to }));
        }
    }
    kept.sort_by_key(|backup| backup.taken_at);
    let aside = agent.shown(name).map(|shown| replace::report(agent, &shown.record)).unwrap_or_default();
    // Of the last stretch without a hole, and of the last database that had the name.
    let restorable = reaches.pop();
    Ok(BackupsReport { kept, aside, restorable, also_restorable: reaches })
}

/// Everything that something is stored of, in the first repository and the second, whoever has a block of it.
pub async fn stored(agent: &Arc<Agent>) -> Result<Vec<Stored>, ProviderError> {
    let agent = agent.clone();
    blocking(move || {
        let mut names = BTreeSet::new();
        for repository in [store::open_if_there(&agent)?, second::open_if_there(&agent).unwrap_or_default()] {
            names.extend(repository.map_or_else(|| Ok(Vec::new()), |it| it.instances()).map_err(store::refused)?);
        }
        Ok(names.into_iter().map(|name| stored_of(&agent, name)).collect())
    })
    .await
}

fn stored_of(agent: &Agent, name: String) -> Stored {
    let is_there = agent.shown(&name).is_ok();
    let (mut report, failure) = match report_of(agent, &name) {
        Ok(report) => (report, None),
        Err(error) => (BackupsReport::default(), Some(error.message)),
    };
    let (backups, last) = (report.kept.len() as u64, report.kept.pop());
    Stored { name, is_there, backups, last, restorable_to: report.restorable.map(|range| range.until), failure }
}

/// The first repository, or the second one where the first has nothing of an instance.
fn to_list(agent: &Agent, name: &str) -> Result<Option<Repository>, ProviderError> {
    let first = store::open_if_there(agent)?;
    let has_some = |repository: &Repository| repository.last_number(name).is_ok_and(|number| number > 0);
    if first.as_ref().is_some_and(has_some) {
        return Ok(first);
    }
    Ok(second::open_if_there(agent)?.or(first))
}

fn told(folder: &Path, generation: u32, backup: &core::Backup) -> Backup {
    Backup {
        name: backup.name.clone(),
        taken_at: backup.taken_at,
        bytes: backup.bytes,
        path: folder.join(format!("{generation:04}/backups/{}", backup.name)),
        automatic: backup.kind == BackupKind::Automated,
        is_final: backup.kind == BackupKind::Final,
        damaged: backup.damaged,
        generation: Some(generation),
        engine_version: Some(backup.version.clone()),
        encrypted: Some(backup.key.is_some()),
        start_lsn: Some(backup.start_lsn.to_string()),
        verified_at: backup.verified_at,
        base: backup.base.clone(),
    }
}
