//! Backups in a repository: files that are streamed in, and a manifest that makes them a backup.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError, mpsc};

use aws_lc_rs::digest;
use jiff::Timestamp;
use pgherd_core::backups::{Backup, BackupKind, Lsn, Timeline};
use serde::{Deserialize, Serialize};

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::generation::Generation;
use crate::object::{Chunks, Label, ObjectReader, ObjectWriter, Trailer, hex};
use crate::repository::{check_name, random_name};
use crate::store::Upload;

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

/// A backup that is being stored. Dropped before [`BackupWriter::finish`], it was never there.
pub struct BackupWriter {
    generation: Generation,
    start: BackupStart,
    attempt: String,
    files: Mutex<Vec<StoredFile>>,
    _claim: Box<dyn Send>,
}

/// A file of a backup that is being stored; whole with [`FileWriter::finish`].
pub struct FileWriter<'a> {
    backup: &'a BackupWriter,
    name: String,
    key: String,
    writer: ObjectWriter<Box<dyn Upload>>,
}

/// A whole backup to be read.
pub struct BackupReader {
    generation: Generation,
    manifest: Manifest,
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
        let files = Mutex::default();
        Ok(BackupWriter { generation: self.clone(), start, attempt: random_name()?, files, _claim: claim })
    }

    /// The whole backups, oldest first. One whose files are gone, or were cut short, is said to be damaged.
    pub fn backups(&self) -> Result<Vec<Backup>> {
        self.be_there()?;
        let store = &self.repository.store;
        let folder = self.key("backups");
        let stored: BTreeMap<String, u64> =
            store.list(&folder)?.into_iter().map(|stored| (stored.key, stored.bytes)).collect();
        let mut backups = Vec::new();
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
            backups.push(Backup { damaged, verified_at, ..manifest.backup });
        }
        backups.sort_by(|one, other| (one.taken_at, &one.name).cmp(&(other.taken_at, &other.name)));
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

impl BackupWriter {
    /// Begins a file of the backup. Several may be written at a time.
    pub fn file(&self, name: &str) -> Result<FileWriter<'_>> {
        check_name(name, "a file of a backup")?;
        let place = file_key(&self.start.name, &self.attempt, name);
        let key = self.generation.key(&place);
        let repository = &self.generation.repository;
        let label = Label { name: &place, generation: &self.generation.info.id, written_at: None };
        let writer = ObjectWriter::new(repository.store.begin(&key)?, &label, repository.sealing())?;
        Ok(FileWriter { backup: self, name: name.to_owned(), key, writer })
    }

    /// Makes what was stored a backup: from now on it is listed.
    pub fn finish(self, end: BackupEnd) -> Result<Backup> {
        let generation = &self.generation;
        let mut files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        files.sort();
        let key = generation.repository.sealing().map(|keys| keys.first().map(|key| key.id.clone())).transpose()?;
        let BackupStart { name, kind, taken_at, version, wal_segment_bytes, tags } = self.start.clone();
        let BackupEnd { finished_at, timeline, start_lsn, end_lsn, self_contained } = end;
        let backup = Backup {
            name,
            kind,
            taken_at,
            finished_at,
            timeline,
            start_lsn,
            end_lsn,
            self_contained,
            wal_segment_bytes,
            version,
            system_identifier: generation.info.system_identifier,
            bytes: files.iter().map(|file| file.bytes).sum(),
            original_bytes: files.iter().map(|file| file.original_bytes).sum(),
            key,
            tags,
            verified_at: None,
            damaged: false,
        };
        let manifest = Manifest { backup, attempt: self.attempt.clone(), files };
        let place = manifest_key(&manifest.backup.name);
        generation.repository.write_json(&generation.key(&place), &place, &generation.info.id, &manifest)?;
        Ok(manifest.backup)
    }
}

/// Content of a file, as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    None,
    /// Compressed already, as zstd does it.
    Zstd,
}

/// How many pieces of a stream may wait to be looked at.
const AHEAD: usize = 16;
const PIECE_BYTES: usize = 256 << 10;

impl BackupWriter {
    /// Stores a file of the backup as it comes, while `look` reads, beside it, what whoever restores it will read. Whatever `from` or
    /// `look` refuse, there is no such file.
    pub fn store<T: Send>(
        &self,
        name: &str,
        mut from: impl Read,
        packing: Packing,
        look: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send,
    ) -> Result<(StoredFile, T)> {
        let mut file = match packing {
            Packing::None => Either::Plain(self.file(name)?),
            Packing::Zstd => Either::Packed(self.packed(name)?),
        };
        let (sender, pieces) = mpsc::sync_channel::<Vec<u8>>(AHEAD);
        let (stored, looked) = std::thread::scope(|scope| {
            let looker = scope.spawn(move || look_at(Pieces { from: pieces, piece: Vec::new(), at: 0 }, packing, look));
            let mut pass = || loop {
                let mut piece = vec![0; PIECE_BYTES];
                let count = from.read(&mut piece)?;
                if count == 0 {
                    return Ok(());
                }
                file.write_all(&piece[..count])?;
                piece.truncate(count);
                // Whoever looks has seen what it does not like, and says so itself.
                if sender.send(piece).is_err() {
                    return Ok(());
                }
            };
            let passed = pass();
            drop(sender);
            let looked = looker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (passed, looked)
        });
        let storing = |error: io::Error| ArchiveError::io(&format!("store {name}"), &error);
        stored.map_err(storing)?;
        let (trailer, looked) = looked.map_err(storing)?;
        let stored = match file {
            Either::Plain(file) => {
                let stored = file.finish()?;
                if stored.original_bytes != trailer.length {
                    return Err(ArchiveError::new(ErrorKind::Unavailable, format!("{name} was not looked at whole")));
                }
                stored
            }
            Either::Packed(file) => file.finish(&trailer)?,
        };
        Ok((stored, looked))
    }

    fn packed(&self, name: &str) -> Result<PackedWriter<'_>> {
        check_name(name, "a file of a backup")?;
        let place = file_key(&self.start.name, &self.attempt, name);
        let key = self.generation.key(&place);
        let repository = &self.generation.repository;
        let label = Label { name: &place, generation: &self.generation.info.id, written_at: None };
        let chunks = Chunks::new(repository.store.begin(&key)?, &label, repository.sealing())?;
        Ok(PackedWriter { backup: self, name: name.to_owned(), key, chunks })
    }

    /// Makes a file durable, and one of the backup's.
    fn settle(
        &self,
        name: String,
        key: &str,
        mut upload: Box<dyn Upload>,
        trailer: &Trailer,
        bytes: u64,
    ) -> Result<StoredFile> {
        if !upload.commit(key, None)? {
            let message = format!("the backup has a file named {name} already");
            return Err(ArchiveError::new(ErrorKind::Conflict, message));
        }
        let encrypted = self.generation.repository.options.encrypt;
        let sha256 = (!encrypted).then(|| trailer.sha256.clone());
        let stored = StoredFile { name, bytes, original_bytes: trailer.length, sha256 };
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(stored.clone());
        Ok(stored)
    }
}

/// A file whose content comes compressed.
struct PackedWriter<'a> {
    backup: &'a BackupWriter,
    name: String,
    key: String,
    chunks: Chunks<Box<dyn Upload>>,
}

impl PackedWriter<'_> {
    fn finish(self, trailer: &Trailer) -> Result<StoredFile> {
        let storing = |error: io::Error| ArchiveError::io(&format!("store {}", self.name), &error);
        let (upload, bytes) = self.chunks.finish(trailer).map_err(storing)?;
        self.backup.settle(self.name, &self.key, upload, trailer, bytes)
    }
}

enum Either<'a> {
    Plain(FileWriter<'a>),
    Packed(PackedWriter<'a>),
}

impl Either<'_> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Packed(file) => file.chunks.write_all(bytes),
        }
    }
}

/// Has the content looked at, to its end, and says what it is.
fn look_at<T>(
    pieces: Pieces,
    packing: Packing,
    look: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<(Trailer, T)> {
    let content: Box<dyn Read> = match packing {
        Packing::None => Box::new(pieces),
        Packing::Zstd => Box::new(zstd::Decoder::new(pieces)?),
    };
    let mut summed = Summed { from: content, checksum: digest::Context::new(&digest::SHA256), length: 0 };
    let looked = look(&mut summed)?;
    io::copy(&mut summed, &mut io::sink())?;
    Ok((Trailer { length: summed.length, sha256: hex(summed.checksum.finish().as_ref()) }, looked))
}

/// What another thread sends, piece by piece.
struct Pieces {
    from: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Ok(piece) = self.from.recv() else { return Ok(0) };
            (self.piece, self.at) = (piece, 0);
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Adds up what is read.
struct Summed {
    from: Box<dyn Read>,
    checksum: digest::Context,
    length: u64,
}

impl Read for Summed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.checksum.update(&buffer[..count]);
        self.length += count as u64;
        Ok(count)
    }
}

impl FileWriter<'_> {
    /// Bytes it occupies so far.
    pub fn stored_bytes(&self) -> u64 {
        self.writer.stored_bytes()
    }

    /// Makes the file whole and durable.
    pub fn finish(self) -> Result<StoredFile> {
        let storing = |error: io::Error| ArchiveError::io(&format!("store {}", self.name), &error);
        let (upload, trailer, bytes) = self.writer.finish().map_err(storing)?;
        self.backup.settle(self.name, &self.key, upload, &trailer, bytes)
    }
}

impl Write for FileWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
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
        let Manifest { backup, attempt, files } = &self.manifest;
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
    /// ([`BackupWriter::store`]) is what is there. `progress` hears of every part, in bytes that are stored.
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
