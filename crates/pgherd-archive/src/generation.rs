//! A generation: the life of one cluster in the repository, from its first backup to the next restore.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgherd_core::backups::{Deletion, History, Holdings, WalFile, WalName};
use serde::{Deserialize, Serialize};

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::object::written_at;
use crate::repository::Repository;
use crate::wal::wal_key;

/// What a generation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationInfo {
    /// Its identity, written into everything that is stored in it.
    pub id: String,
    /// Its number among those of its instance.
    pub number: u32,
    /// The cluster's identity; log of another cluster is refused. 0: not known.
    pub system_identifier: u64,
    /// When it began.
    pub begun_at: Timestamp,
    /// What it was restored from; `None`: it began as an empty database.
    pub from: Option<Origin>,
}

/// What a generation was restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The instance.
    pub instance: String,
    /// Its generation.
    pub generation: u32,
    /// The backup that was used.
    pub backup: String,
    /// Up to where the log was replayed, in words.
    pub to: String,
}

/// A generation of an instance. Cheap to clone.
#[derive(Clone)]
pub struct Generation {
    pub(crate) repository: Repository,
    pub(crate) instance: String,
    pub(crate) folder: String,
    pub(crate) info: GenerationInfo,
}

impl Generation {
    /// What it is.
    pub fn info(&self) -> &GenerationInfo {
        &self.info
    }

    /// The instance it is of.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The repository it is in.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Refuses what would be asked of a repository whose disk was taken away since it was opened: it would look empty, and
    /// writing to it would begin another one.
    pub(crate) fn be_there(&self) -> Result<()> {
        if self.repository.store.exists(&self.key("generation"))? {
            return Ok(());
        }
        let message = format!("generation {} of {} is not in the repository any more", self.info.number, self.instance);
        Err(ArchiveError::new(ErrorKind::Unavailable, message).help("is the repository's disk mounted?"))
    }

    /// Where something of it is stored.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// What there is in it: whole backups and log. What is stored is listed, only manifests and histories are read.
    pub fn holdings(&self) -> Result<Holdings> {
        let mut wal = self.wal()?;
        self.ask_for_times(&mut wal)?;
        let mut histories = Vec::new();
        for file in &wal {
            let WalName::History(timeline) = file.name else { continue };
            // A damaged one is told by a check; its timeline counts as one without a past, and nothing of it is deleted.
            match self.read_wal(file.name) {
                Ok(text) => histories.extend(History::parse(timeline, &String::from_utf8_lossy(&text))),
                Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::KeyLost | ErrorKind::Absent) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Holdings { backups: self.backups()?, wal, histories })
    }

    /// The files of the log that are there, in the order of their names.
    pub fn wal(&self) -> Result<Vec<WalFile>> {
        self.be_there()?;
        let store = &self.repository.store;
        let knows = store.knows_times();
        let folder = self.key("wal");
        let mut files = Vec::new();
        for stored in store.list(&folder)? {
            let name = stored.key.rsplit('/').next().unwrap_or_default();
            let Ok(name) = name.parse::<WalName>() else { continue };
            if stored.key == self.key(&wal_key(name)) {
                let written_at = knows.then_some(stored.modified_at);
                let stored_at = Some(stored.modified_at);
                files.push(WalFile { name, bytes: stored.bytes, written_at, stored_at });
            }
        }
        files.sort();
        Ok(files)
    }

    /// Where the store does not know when what it has was written, the last segment of each timeline is asked: what there is reaches up
    /// to then.
    fn ask_for_times(&self, wal: &mut [WalFile]) -> Result<()> {
        let store = &self.repository.store;
        if store.knows_times() {
            return Ok(());
        }
        let mut timelines = BTreeSet::new();
        let segments = wal.iter_mut().rev().filter(|file| matches!(file.name, WalName::Segment(_)));
        for file in segments.filter(|file| timelines.insert(file.name.timeline())) {
            let key = self.key(&wal_key(file.name));
            let written_at = store.open(&key).and_then(|mut from| written_at(&mut from, &store.describe(&key)));
            match written_at {
                Ok(at) => file.written_at = at,
                // A damaged one is told by a check.
                Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Invalid | ErrorKind::Absent) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes these in this order; each is gone for good before the next one is begun with.
    pub fn delete(&self, what: &[Deletion]) -> Result<()> {
        what.iter().try_for_each(|deletion| match deletion {
            Deletion::Backup(name) => self.delete_backup(name),
            Deletion::Wal(name) => self.repository.store.delete(&self.key(&wal_key(*name))),
        })
    }

    /// Removes what was begun and never finished by somebody who is dead; says how many files that were.
    pub fn clear_unfinished(&self) -> Result<usize> {
        self.be_there()?;
        Ok(self.repository.store.clear(&self.folder)? + self.clear_attempts()?)
    }

    /// Deletes the generation with everything in it.
    pub fn delete_all(&self) -> Result<()> {
        for backup in self.backups()? {
            self.delete_backup(&backup.name)?;
        }
        let store = &self.repository.store;
        let marker = self.key("generation");
        for stored in store.list(&self.folder)? {
            if stored.key != marker {
                store.delete(&stored.key)?;
            }
        }
        store.clear(&self.folder)?;
        // Last, so that what is left of a deletion that was cut short can be deleted again.
        store.delete(&marker)
    }
}
