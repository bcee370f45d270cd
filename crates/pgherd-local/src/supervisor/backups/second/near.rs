//! What is in the second repository, brought to where servers reach it.

use std::path::Path;

use pgherd_archive::{Generation, Location, Options, Repository, fetch, fetch_bytes};
use pgherd_core::backups::{Backup, Lsn};
use pgherd_engine::provider::ProviderError;

use crate::supervisor::agent::Agent;
use crate::supervisor::backups::{refuse_without_room, store};

/// Whether a generation is where servers do not reach it.
pub fn is_far(agent: &Agent, generation: &Generation) -> bool {
    !store::place(&agent.options.paths).is_ok_and(|first| first.location == *generation.repository().location())
}

/// Has a backup and the log after it, up to `until`, lie where servers reach them: what is in the first repository does. Refused where
/// there is no room for them and for `besides` bytes. Blocking.
pub fn bring_near(
    agent: &Agent,
    generation: Generation,
    backup: &Backup,
    until: Option<Lsn>,
    to: &Path,
    besides: u64,
    progress: impl FnMut(u64),
) -> Result<Generation, ProviderError> {
    if !is_far(agent, &generation) {
        return Ok(generation);
    }
    let bytes = fetch_bytes(&generation, backup, until).map_err(store::refused)?;
    refuse_without_room(to, besides.saturating_add(bytes))?;
    let keys = store::keys(&agent.options.paths)?;
    let options = Options { keys, encrypt: false, owner: store::owner(&agent.run_as), ..Options::default() };
    let near = Repository::create(&Location::Folder(to.to_owned()), options).map_err(store::refused)?;
    fetch(&generation, backup, until, &near, progress).map_err(store::refused)
}
