//! Reading a backup back: what it gives was verified.

use std::io::Read;

use pgherd_core::backups::Backup;

use super::{Manifest, StoredFile, file_key};
use crate::error::{ArchiveError, ErrorKind, Result};
use crate::generation::Generation;
use crate::object::ObjectReader;

/// A whole backup to be read.
pub struct BackupReader {
    pub(super) generation: Generation,
    pub(super) manifest: Manifest,
}

impl BackupReader {
    /// What it is.
    pub fn backup(&self) -> &Backup {
        &self.manifest.backup
    }

    /// Its files, by name.
    pub fn files(&self) -> &[StoredFile] {
        &self.manifest.files
    }

    /// Reads a file. What it gives was verified, and its end is reached only when all of it was.
    pub fn open(&self, name: &str) -> Result<impl Read + Send + use<>> {
        self.object(name)
    }

    fn object(&self, name: &str) -> Result<ObjectReader<Box<dyn Read + Send>>> {
        let Manifest { backup, attempt, files, since: _ } = &self.manifest;
        if !files.iter().any(|file| file.name == name) {
            let message = format!("the backup {} has no file named {name}", backup.name);
            return Err(ArchiveError::new(ErrorKind::Absent, message));
        }
        let place = file_key(&backup.name, attempt, name);
        let repository = &self.generation.repository;
        let key = self.generation.key(&place);
        let what = repository.store.describe(&key);
        let from = repository.store.open(&key).map_err(|error| match error.kind {
            ErrorKind::Absent => ArchiveError::damaged(&what, "it is gone"),
            _ => error,
        })?;
        ObjectReader::new(from, &repository.options.keys, &what)?.belonging(&place, &self.generation.info.id)
    }

    /// Reads every file back as it is stored, and does not expand it: what was looked at when it was stored
    /// ([`super::BackupWriter::store`]) is what is there. `progress` hears of every part, in bytes that are stored.
    pub fn verify_sealed(&self, mut progress: impl FnMut(u64)) -> Result<()> {
        for file in self.files() {
            let trailer = self.object(&file.name)?.verify_sealed(&mut progress)?;
            let same = file.sha256.as_ref().is_none_or(|sha256| *sha256 == trailer.sha256);
            if trailer.length != file.original_bytes || !same {
                return Err(ArchiveError::damaged(&file.name, "its content is not what was stored"));
            }
        }
        Ok(())
    }

    /// Reads every file back; `progress` hears of every part, in bytes of content.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<()> {
        let mut buffer = vec![0; 256 << 10];
        for file in self.files() {
            let mut reader = self.open(&file.name)?;
            loop {
                let read = reader.read(&mut buffer);
                let count = read.map_err(|error| ArchiveError::io(&format!("read {}", file.name), &error))?;
                if count == 0 {
                    break;
                }
                progress(count as u64);
            }
        }
        Ok(())
    }
}
