//! Storing a backup: its files as they come, looked at meanwhile, and at the end what makes them one.

use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError, mpsc};

use aws_lc_rs::digest;
use pgherd_core::backups::Backup;

use super::{BackupEnd, BackupStart, Manifest, StoredFile, file_key, manifest_key};
use crate::error::{ArchiveError, ErrorKind, Result};
use crate::generation::Generation;
use crate::object::{Chunks, Label, ObjectWriter, Trailer, hex};
use crate::repository::check_name;
use crate::store::Upload;

/// A backup that is being stored. Dropped before [`BackupWriter::finish`], it was never there.
pub struct BackupWriter {
    pub(super) generation: Generation,
    pub(super) start: BackupStart,
    pub(super) attempt: String,
    /// The attempt of the whole one that it holds the changes since.
    pub(super) since: Option<String>,
    pub(super) files: Mutex<Vec<StoredFile>>,
    pub(super) _claim: Box<dyn Send>,
}

/// A file of a backup that is being stored; whole with [`FileWriter::finish`].
pub struct FileWriter<'a> {
    backup: &'a BackupWriter,
    name: String,
    key: String,
    writer: ObjectWriter<Box<dyn Upload>>,
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

    /// It holds everything after all, and not only the changes since another one.
    pub fn is_whole(&mut self) {
        (self.start.base, self.since) = (None, None);
    }

    /// Makes what was stored a backup: from now on it is listed.
    pub fn finish(self, end: BackupEnd) -> Result<Backup> {
        let generation = &self.generation;
        let mut files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        files.sort();
        let key = generation.repository.sealing().map(|keys| keys.first().map(|key| key.id.clone())).transpose()?;
        let BackupStart { name, kind, taken_at, version, wal_segment_bytes, tags, base } = self.start.clone();
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
            base,
        };
        let manifest = Manifest { backup, attempt: self.attempt.clone(), files, since: self.since.clone() };
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
