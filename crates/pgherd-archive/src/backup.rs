//! Backups in a repository: files that are streamed in, and a manifest that makes them a backup.

mod reading;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgherd_core::backups::{Backup, BackupKind, Lsn, Timeline};
use serde::{Deserialize, Serialize};

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::generation::Generation;
use crate::repository::{check_name, random_name};

pub use reading::BackupReader;
pub use writing::{BackupWriter, FileWriter, Packing};

/// What is known when a backup is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupStart {
    /// Letters, digits, `-`, `_` and `.`; unique in its generation.
    pub name: String,
    /// Why it is taken.
    pub kind: BackupKind,
    /// Now.
    pub taken_at: Timestamp,
    /// The server's version.
    pub version: String,
    /// Size of a segment of its log.
    pub wal_segment_bytes: u64,
    /// Tags to keep with it.
    pub tags: BTreeMap<String, String>,
    /// The whole backup that it will hold the changes since; `None`: it will be whole.
    pub base: Option<String>,
}

/// What is known when all its files are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupEnd {
    /// Now.
    pub finished_at: Timestamp,
    /// The timeline it was taken on.
    pub timeline: Timeline,
    /// Where recovery begins.
    pub start_lsn: Lsn,
    /// Where the data is consistent.
    pub end_lsn: Lsn,
    /// Whether the log between the two is among its files.
    pub self_contained: bool,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Bytes it occupies.
    pub bytes: u64,
    /// Bytes of its content.
    pub original_bytes: u64,
    /// SHA-256 of its content; `None`: it is encrypted, and known from its own trailer.
    pub sha256: Option<String>,
}

/// What makes files a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) backup: Backup,
    /// The folder of its files: each attempt has its own, so that none writes over another's.
    pub(crate) attempt: String,
    pub(crate) files: Vec<StoredFile>,
    /// The attempt of the whole backup that it holds the changes since: a name may be given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
}

/// That a backup was found to be damaged.
#[derive(Serialize, Deserialize)]
struct Damaged {
    at: Timestamp,
    /// Which one of its name it was.
    attempt: String,
}

/// When a backup was proven to be good.
#[derive(Serialize, Deserialize)]
struct Verified {
    at: Timestamp,
}

impl Generation {
    /// Begins a backup. One of that name that was never finished is begun anew.
    pub fn begin_backup(&self, start: BackupStart) -> Result<BackupWriter> {
        check_name(&start.name, "a backup")?;
        self.be_there()?;
        let claim = self.repository.store.claim(&self.key(&format!("backups/{}", start.name)))?;
        match self.manifest(&start.name) {
            Ok(_) => {
                let message = format!("there is a backup named {} already", start.name);
                return Err(
                    ArchiveError::new(ErrorKind::Conflict, message).help("give it another name, or delete that one")
                );
            }
            Err(error) if error.kind == ErrorKind::Absent => {}
            Err(error) => return Err(error),
        }
        let since = match &start.base {
            Some(base) => Some(self.manifest(base)?.attempt),
            None => None,
        };
        let files = Default::default();
        Ok(BackupWriter { generation: self.clone(), start, attempt: random_name()?, since, files, _claim: claim })
    }

    /// The backups that were finished, oldest first. One whose files are gone, or were cut short, is said to be damaged, and so is one that
    /// holds the changes since such a one.
    pub fn backups(&self) -> Result<Vec<Backup>> {
        self.be_there()?;
        let store = &self.repository.store;
        let folder = self.key("backups");
        let stored: BTreeMap<String, u64> =
            store.list(&folder)?.into_iter().map(|stored| (stored.key, stored.bytes)).collect();
        let (mut backups, mut attempts) = (Vec::new(), BTreeMap::new());
        for key in stored.keys() {
            let Some(name) = key.strip_prefix(&folder).and_then(|rest| rest[1..].strip_suffix("/manifest")) else {
                continue;
            };
            let manifest = match self.manifest(name) {
                Ok(manifest) => manifest,
                // What a check tells of; nothing that a manifest says can be believed then.
                Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Absent) => continue,
                Err(error) => return Err(error),
            };
            let whole = |file: &StoredFile| {
                stored.get(&self.key(&file_key(name, &manifest.attempt, &file.name))) == Some(&file.bytes)
            };
            let damaged = !manifest.files.iter().all(whole) || self.is_marked(&manifest, &stored);
            let verified_at = if stored.contains_key(&self.key(&verified_key(name))) {
                let read: Result<Verified> =
                    self.repository.read_json(&self.key(&verified_key(name)), &verified_key(name), &self.info.id);
                read.ok().map(|verified| verified.at)
            } else {
                None
            };
            attempts.insert(name.to_owned(), (manifest.attempt, manifest.since));
            backups.push(Backup { damaged, verified_at, ..manifest.backup });
        }
        backups.sort_by(|one, other| (one.taken_at, &one.name).cmp(&(other.taken_at, &other.name)));
        // Changes are nothing without what they are the changes since.
        let sound: BTreeSet<String> =
            backups.iter().filter(|backup| !backup.damaged).map(|backup| backup.name.clone()).collect();
        // One of that name that was taken since is another one. Who wrote none down trusts the name.
        let is_another = |name: &str, base: &str| {
            let since = attempts.get(name).and_then(|(_, since)| since.as_ref());
            since.is_some_and(|since| attempts.get(base).is_none_or(|(attempt, _)| attempt != since))
        };
        for backup in &mut backups {
            let is_lost = |base: &String| !sound.contains(base) || is_another(&backup.name, base);
            backup.damaged |= backup.base.as_ref().is_some_and(is_lost);
        }
        Ok(backups)
    }

    /// Every name that a backup has or once began under: also of those that are no backups any more, or cannot be listed because
    /// what says what they are is damaged.
    pub fn backup_names(&self) -> Result<Vec<String>> {
        self.be_there()?;
        self.repository.store.names(&self.key("backups"))
    }

    /// Opens a whole backup.
    pub fn open_backup(&self, name: &str) -> Result<BackupReader> {
        check_name(name, "a backup")?;
        let manifest = self.manifest(name).map_err(|error| match error.kind {
            ErrorKind::Absent => self
                .be_there()
                .err()
                .unwrap_or_else(|| ArchiveError::new(ErrorKind::Absent, format!("there is no backup named {name}"))),
            _ => error,
        })?;
        Ok(BackupReader { generation: self.clone(), manifest })
    }

    /// Writes down that a backup was proven to be good.
    pub fn set_verified(&self, name: &str, at: Timestamp) -> Result<()> {
        self.open_backup(name)?;
        let place = verified_key(name);
        self.repository.replace_json(&self.key(&place), &place, &self.info.id, &Verified { at })?;
        self.clear_damaged(name)
    }

    /// Writes down that a backup was found to be damaged: it is listed as such from now on, and takes the place of no other.
    pub fn set_damaged(&self, name: &str, at: Timestamp) -> Result<()> {
        let attempt = self.manifest(name)?.attempt;
        let place = damaged_key(name);
        self.repository.replace_json(&self.key(&place), &place, &self.info.id, &Damaged { at, attempt })
    }

    /// Forgets that: it was read back, and is as it was stored.
    pub fn clear_damaged(&self, name: &str) -> Result<()> {
        check_name(name, "a backup")?;
        let key = self.key(&damaged_key(name));
        if self.repository.store.exists(&key)? { self.repository.store.delete(&key) } else { Ok(()) }
    }

    /// The same of one by its name; `false`: it cannot be told.
    pub(crate) fn is_known_to_be_damaged(&self, name: &str) -> bool {
        let place = damaged_key(name);
        let Ok(manifest) = self.manifest(name) else { return false };
        self.is_marked(&manifest, &BTreeMap::from([(self.key(&place), 0)]))
    }

    /// Whether somebody wrote down that it is damaged. A mark that cannot be read is one.
    fn is_marked(&self, manifest: &Manifest, stored: &BTreeMap<String, u64>) -> bool {
        let place = damaged_key(&manifest.backup.name);
        let key = self.key(&place);
        stored.contains_key(&key)
            && match self.repository.read_json::<Damaged>(&key, &place, &self.info.id) {
                Ok(mark) => mark.attempt == manifest.attempt,
                Err(error) => error.kind != ErrorKind::Absent,
            }
    }

    /// Deletes a backup: first it is none any more, then its files go. One that is not there is fine.
    pub fn delete_backup(&self, name: &str) -> Result<()> {
        check_name(name, "a backup")?;
        self.be_there()?;
        let store = &self.repository.store;
        let folder = self.key(&format!("backups/{name}"));
        let claim = store.claim(&folder)?;
        store.delete(&self.key(&manifest_key(name)))?;
        for stored in store.list(&folder)? {
            store.delete(&stored.key)?;
        }
        drop(claim);
        Ok(())
    }

    pub(crate) fn manifest(&self, name: &str) -> Result<Manifest> {
        let place = manifest_key(name);
        self.repository.read_json(&self.key(&place), &place, &self.info.id)
    }

    /// Removes files of attempts that became no backup, where nobody is at work.
    pub(crate) fn clear_attempts(&self) -> Result<usize> {
        let store = &self.repository.store;
        let mut cleared = 0;
        for name in store.names(&self.key("backups"))? {
            let folder = self.key(&format!("backups/{name}"));
            let claim = match store.claim(&folder) {
                Ok(claim) => claim,
                Err(error) if error.kind == ErrorKind::Conflict => continue,
                Err(error) => return Err(error),
            };
            let attempt = match self.manifest(&name) {
                Ok(manifest) => Some(manifest.attempt),
                Err(error) if error.kind == ErrorKind::Absent => None,
                // Which of the attempts it was is not known.
                Err(error) if error.kind == ErrorKind::Damaged => continue,
                Err(error) => return Err(error),
            };
            for stored in store.list(&folder)? {
                let mut below = stored.key[folder.len() + 1..].split('/');
                let (first, file) = (below.next(), below.next());
                let left = match attempt.as_deref() {
                    Some(attempt) => file.is_some() && first != Some(attempt),
                    None => true,
                };
                if left {
                    store.delete(&stored.key)?;
                    cleared += 1;
                }
            }
            drop(claim);
        }
        Ok(cleared)
    }
}

fn manifest_key(name: &str) -> String {
    format!("backups/{name}/manifest")
}

fn damaged_key(name: &str) -> String {
    format!("backups/{name}/damaged")
}

fn verified_key(name: &str) -> String {
    format!("backups/{name}/verified")
}

pub(crate) fn file_key(backup: &str, attempt: &str, file: &str) -> String {
    format!("backups/{backup}/{attempt}/{file}")
}
