//! The repository of a state folder: one for all of its instances, so that a backup outlives the folder of its database.

use std::path::PathBuf;

use pgherd_archive::{ArchiveError, Generation, KeyRing, Location, Options, Repository};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::paths::Paths;
use crate::postgres::runas::RunAs;
use crate::supervisor::agent::Agent;

/// Where it is.
pub fn folder(agent: &Agent) -> PathBuf {
    agent.options.paths.repository()
}

/// The keys, in a file beside it that the user PostgreSQL runs as may read: it stores its log itself.
pub fn key_file(paths: &Paths) -> PathBuf {
    paths.state.join("backup.keys")
}

/// The repository with its keys, to be written to: one that is there. Blocking.
pub fn open(agent: &Agent, encrypt: bool) -> Result<Repository, ProviderError> {
    let keys = KeyRing::read(&key_file(&agent.options.paths)).map_err(refused)?;
    let options = Options { keys, encrypt, owner: owner(&agent.run_as) };
    Repository::open(&Location::Folder(folder(agent)), options).map_err(refused)
}

/// The same, made with a key when there is none yet: for the first thing that is stored of an instance. Blocking.
pub fn make(agent: &Agent, encrypt: bool) -> Result<Repository, ProviderError> {
    let keys = KeyRing::create(&key_file(&agent.options.paths), owner(&agent.run_as)).map_err(refused)?;
    let options = Options { keys, encrypt, owner: owner(&agent.run_as) };
    Repository::create(&Location::Folder(folder(agent)), options).map_err(refused)
}

/// The repository to be read; `None`: none was ever made. Blocking.
pub fn open_if_there(agent: &Agent) -> Result<Option<Repository>, ProviderError> {
    let folder = folder(agent);
    if !folder.exists() {
        return Ok(None);
    }
    let path = key_file(&agent.options.paths);
    // What is not encrypted can be read without.
    let keys = if path.exists() { KeyRing::read(&path).map_err(refused)? } else { KeyRing::none() };
    let options = Options { keys, encrypt: false, owner: owner(&agent.run_as) };
    Repository::open(&Location::Folder(folder), options).map(Some).map_err(refused)
}

/// What is stored of an instance. Blocking.
pub fn generations(repository: &Repository, name: &str) -> Result<Vec<Generation>, ProviderError> {
    repository.generations(name).map_err(refused)
}

/// Whose the files are that PostgreSQL has to read or write.
pub fn owner(run_as: &RunAs) -> Option<(u32, u32)> {
    run_as.drops.then_some((run_as.uid, run_as.gid))
}

/// A refusal of the repository, as ours.
pub fn refused(error: ArchiveError) -> ProviderError {
    let kind = match error.kind {
        pgherd_archive::ErrorKind::Absent => ErrorKind::NotFound,
        pgherd_archive::ErrorKind::Conflict => ErrorKind::Conflict,
        pgherd_archive::ErrorKind::Denied => ErrorKind::Denied,
        pgherd_archive::ErrorKind::Damaged
        | pgherd_archive::ErrorKind::KeyLost
        | pgherd_archive::ErrorKind::Invalid => ErrorKind::Invalid,
        pgherd_archive::ErrorKind::Full | pgherd_archive::ErrorKind::Unavailable => ErrorKind::Unavailable,
    };
    ProviderError::new(kind, error.message).help(error.help.unwrap_or_default())
}
