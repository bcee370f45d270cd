//! What the archive helper needs to know, in one small file next to the instance.
//!
//! Invariant: no secret is in it; keys and credentials are named by the files they are in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::error::{ArchiveError, ErrorKind, Result};
use crate::files;
use crate::generation::Generation;
use crate::keys::KeyRing;
use crate::location::Location;
use crate::place::Place;
use crate::repository::{Options, Repository};

/// How long a bucket that does not answer is asked again for one segment.
const PATIENCE: Duration = Duration::from_secs(5);

/// The helper's settings: JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the repository is.
    pub repository: String,
    /// The instance.
    pub instance: String,
    /// The generation it archives to, and reads from first.
    pub generation: u32,
    /// The identity of that generation, so that no other one of its number is taken for it; empty: it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Key files, the one whose first key encrypts first.
    #[serde(default)]
    pub keys: Vec<PathBuf>,
    /// Whether what is stored is encrypted.
    #[serde(default)]
    pub encrypt: bool,
    /// The file that says how a bucket is reached; without it, PostgreSQL's environment does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<PathBuf>,
    /// Where log is looked for that the generation does not have, in this order: what a restore comes from.
    #[serde(default)]
    pub also_from: Vec<Source>,
}

/// A generation that is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The instance.
    pub instance: String,
    /// Its generation.
    pub generation: u32,
}

impl Settings {
    /// Reads a file of settings.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| {
            let error = ArchiveError::io(&format!("read {}", path.display()), &error);
            // Nothing is said about what is archived.
            if error.kind == ErrorKind::Absent { ArchiveError { kind: ErrorKind::Invalid, ..error } } else { error }
        })?;
        serde_json::from_slice(&text)
            .map_err(|error| ArchiveError::new(ErrorKind::Invalid, format!("{}: {error}", path.display())))
    }

    /// Replaces a file of settings, durably and at once. `owner`: whose it is to be, the user PostgreSQL runs as.
    pub fn write(&self, path: &Path, owner: Option<(u32, u32)>) -> Result<()> {
        let refuse = |error: std::io::Error| ArchiveError::io(&format!("write {}", path.display()), &error);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| ArchiveError::new(ErrorKind::Invalid, error.to_string()))?;
        let unfinished = path.with_extension("unfinished");
        files::remove(&unfinished).map_err(refuse)?;
        let mut file = files::create(&unfinished, owner).map_err(refuse)?;
        std::io::Write::write_all(&mut file, &text).map_err(refuse)?;
        files::sync(&file).map_err(refuse)?;
        files::rename_over(&unfinished, path).map_err(refuse)?;
        files::sync_parent(path).map_err(refuse)
    }

    /// Opens the repository they name. A key file that is not there, or one but the first that cannot be read, is told of when
    /// something is met that takes a key which is not at hand.
    pub fn open(&self) -> Result<Repository> {
        let keys = match self.keys.split_first() {
            Some((first, others)) => {
                others.iter().fold(KeyRing::read_if_there(first)?, |keys, path| keys.and_file(path))
            }
            None => KeyRing::none(),
        };
        let location = self.repository.parse()?;
        let access = self.access.as_ref().map(|file| access(file, &location)).transpose()?.unwrap_or_default();
        // PostgreSQL asks again by itself, and may be waited for.
        let patience = Some(PATIENCE);
        Repository::open(&location, Options { keys, encrypt: self.encrypt, owner: None, access, patience })
    }

    /// Opens the generation they archive to.
    pub fn generation(&self, repository: &Repository) -> Result<Generation> {
        let generation = repository.generation(&self.instance, self.generation).map_err(not_there)?;
        if self.id.is_empty() || self.id == generation.info().id {
            return Ok(generation);
        }
        let (instance, number) = (&self.instance, self.generation);
        let message = format!("{} has another database {instance} as its generation {number}", repository.location());
        Err(ArchiveError::new(ErrorKind::Conflict, message)
            .help("two machines keep their backups in one place: give each a folder of its own"))
    }

    /// Opens the generations they read from besides.
    pub fn also_from(&self, repository: &Repository) -> Result<Vec<Generation>> {
        let open = |source: &Source| repository.generation(&source.instance, source.generation).map_err(not_there);
        self.also_from.iter().map(open).collect()
    }
}

/// How a place is reached, by the file that named it.
fn access(file: &Path, location: &Location) -> Result<Access> {
    match Place::read_shared(file)? {
        Some(place) if place.location == *location => Ok(place.access),
        _ => {
            let message = format!("{} does not say any more how {location} is reached", file.display());
            Err(ArchiveError::new(ErrorKind::Invalid, message)
                .help("write its place and its AWS_… lines into it again"))
        }
    }
}

/// A generation that is not there does not mean that it has no more log.
fn not_there(error: ArchiveError) -> ArchiveError {
    match error.kind {
        ErrorKind::Absent => ArchiveError { kind: ErrorKind::Unavailable, ..error },
        _ => error,
    }
}
