//! A copy of a running server as the server sends it, over the replication protocol: nothing of it is put on disk on the way.
//!
//! What PostgreSQL's `pg_basebackup` does, without its detour: it can write a compressed copy to files only, and a plain one at half the
//! speed. Blocking; whoever waits in async code keeps a [`Cut`].

mod look;
mod manifest;
mod wire;

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;

use pgherd_engine::provider::{ErrorKind, ProviderError};

pub use look::{Looked, look, read_log};
pub use manifest::{Manifest, Span};

use super::Result;
use super::conf::SUPERUSER;
use wire::{Message, Wire};

/// How nice a backup is to everything else on the machine.
const NICENESS: i32 = 10;
/// Quick, and smaller than what costs twice the time is larger by: a copy of a database of pgbench has 5 % more than by level 3.
const LEVEL: u32 = 1;

/// How what is sent is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A tar file.
    Tar,
    /// One that the server compressed.
    Zstd,
}

/// A backup that a server sends.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    form: Form,
    /// Whether the server was told since which backup changes are wanted.
    is_increment: bool,
    /// What was read and not given yet is behind `at`.
    piece: Vec<u8>,
    at: usize,
    state: State,
    manifest: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the archive was seen.
    Before,
    Archive,
    Manifest,
    /// All copies are done.
    Done,
}

/// Ends a stream when it is dropped, wherever it is read.
#[derive(Debug)]
pub struct Cut(UnixStream);

impl Drop for Cut {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

impl Stream {
    /// Connects to a server's socket.
    pub fn connect(socket: &Path, port: u16) -> Result<Self> {
        let mut wire = Wire::connect(&socket.join(format!(".s.PGSQL.{port}"))).map_err(|error| refused(&error))?;
        wire.start(SUPERUSER).map_err(|error| refused(&error))?;
        if let Some(pid) = wire.server_pid.and_then(rustix::process::Pid::from_raw) {
            // What is done for users goes first.
            let _ = rustix::process::setpriority_process(Some(pid), NICENESS);
        }
        let state = State::Before;
        let piece = Vec::new();
        Ok(Self { wire, form: Form::Tar, is_increment: false, piece, at: 0, state, manifest: Vec::new() })
    }

    /// What ends it.
    pub fn cut(&self) -> Result<Cut> {
        self.wire.handle().map(Cut).map_err(|error| refused(&error))
    }

    /// Tells the server of a backup, by its manifest: what comes then is what changed since. Where it refuses, or refuses to begin with
    /// it, one that is whole can be begun all the same.
    pub fn since(&mut self, manifest: &[u8]) -> Result<()> {
        let told = self.wire.upload("UPLOAD_MANIFEST", manifest);
        if told.is_err() {
            self.wire.until_ready().map_err(|error| refused(&error))?;
        }
        self.is_increment = told.is_ok();
        told.map_err(|error| refused(&error))
    }

    /// Gives up on changes.
    pub fn whole(&mut self) -> Result<()> {
        self.is_increment = false;
        self.wire.until_ready().map_err(|error| refused(&error))
    }

    /// Has the server begin a backup. Returns when its checkpoint is through; says how what comes is packed.
    pub fn begin(&mut self, label: &str) -> Result<Form> {
        self.form = if self.wire.is_new { Form::Zstd } else { Form::Tar };
        match self.order(label) {
            // Built without it.
            Err(error) if self.form == Form::Zstd && error.to_string().contains("zstd") => {
                self.wire.until_ready().map_err(|error| refused(&error))?;
                self.form = Form::Tar;
                self.order(label).map_err(|error| refused(&error))?;
            }
            other => other.map_err(|error| refused(&error))?,
        }
        Ok(self.form)
    }

    fn order(&mut self, label: &str) -> io::Result<()> {
        let label = label.replace('\'', "''");
        let order = if !self.wire.is_new {
            format!("BASE_BACKUP LABEL '{label}' FAST WAL NOWAIT MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'")
        } else {
            let packed = match self.form {
                Form::Zstd => format!(", COMPRESSION 'zstd', COMPRESSION_DETAIL 'level={LEVEL}'"),
                Form::Tar => String::new(),
            };
            let changes = if self.is_increment { ", INCREMENTAL" } else { "" };
            format!(
                "BASE_BACKUP (LABEL '{label}', CHECKPOINT 'fast', WAL, WAIT 0, MANIFEST 'yes', \
                 MANIFEST_CHECKSUMS 'CRC32C'{packed}{changes})"
            )
        };
        self.wire.query(&order)?;
        let start = self.wire.rows()?;
        let spaces = self.wire.rows()?;
        if start.len() != 1 {
            return Err(io::Error::other("the server does not say where the backup begins"));
        }
        // The first column is the number of the tablespace, and nothing for the data directory itself.
        if let Some(other) = spaces.iter().find(|row| row.first().is_some_and(Option::is_some)) {
            let place = other.get(1).and_then(Option::as_deref).unwrap_or("elsewhere");
            let message =
                format!("it has a tablespace at {place}, and what is outside of its data directory is in no backup");
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    /// What the server says at the end: its manifest. An error when it does not call the backup good. To be asked when all was read.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        io::copy(&mut self, &mut io::sink()).map_err(|error| refused(&error))?;
        while self.state != State::Done {
            self.part().map_err(|error| refused(&error))?;
        }
        self.wire.until_ready().map_err(|error| refused(&error))?;
        if self.manifest.is_empty() {
            return Err(ProviderError::new(ErrorKind::Invalid, "the server sent no manifest of the backup"));
        }
        Ok(self.manifest)
    }

    /// Takes in the next message.
    fn part(&mut self) -> io::Result<()> {
        let nested = self.wire.is_new;
        match self.wire.next(&mut self.piece)? {
            Message::CopyBegins => {
                // Before 15 the archive and the manifest are two copies, and what is in them is not tagged.
                if !nested {
                    self.state = match self.state {
                        State::Before => State::Archive,
                        _ => State::Manifest,
                    };
                }
                self.at = self.piece.len();
            }
            Message::CopyData if nested => {
                let tag = self.piece.first().copied();
                self.at = self.piece.len();
                match tag {
                    Some(b'n') if self.state == State::Before => self.state = State::Archive,
                    Some(b'n') => return Err(io::Error::other("the server sends several archives")),
                    Some(b'm') => self.state = State::Manifest,
                    Some(b'd') => self.at = 1,
                    // How far it is.
                    _ => {}
                }
            }
            Message::CopyData => self.at = 0,
            Message::CopyEnds => self.at = self.piece.len(),
            Message::Rows => {
                self.at = self.piece.len();
                self.state = State::Done;
            }
        }
        if self.state == State::Manifest && self.at < self.piece.len() {
            self.manifest.extend_from_slice(&self.piece[self.at..]);
            self.at = self.piece.len();
        }
        Ok(())
    }
}

/// The archive, to its end.
impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            if matches!(self.state, State::Manifest | State::Done) {
                return Ok(0);
            }
            self.part()?;
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn refused(error: &io::Error) -> ProviderError {
    let message = format!("the server gives no backup: {error}");
    match error.kind() {
        io::ErrorKind::Unsupported => {
            ProviderError::new(ErrorKind::Invalid, format!("no backup can be taken: {error}"))
                .help("move what is in it back with ALTER TABLE … SET TABLESPACE pg_default, and drop it")
        }
        _ => ProviderError::new(ErrorKind::Unavailable, message),
    }
}
