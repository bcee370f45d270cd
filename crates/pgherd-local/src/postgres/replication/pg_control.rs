//! `pg_control`, read without starting a program: it is looked at while clients wait for a failover.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use pgherd_core::ha::Lsn;

use crate::postgres::control::protected;

/// `pg_control_version` of 14 to 16, of 17, and of 18 (`src/include/catalog/pg_control.h`). What is read here lies the same in
/// all.
const VERSIONS: [u32; 3] = [1300, 1700, 1800];

/// Tries to read a file that its server is just writing.
const ATTEMPTS: u32 = 20;

/// What is read of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PgControl {
    pub(super) system_id: u64,
    pub(super) state: State,
    /// Beginning of the last checkpoint's record.
    pub(super) checkpoint: Lsn,
    /// The timeline it is on.
    pub(super) timeline: u32,
    /// Up to where a standby has to replay before it is consistent; it has at least that much. 0 where that is nothing.
    pub(super) minimum_recovery: Lsn,
    /// The timeline that is on.
    pub(super) minimum_recovery_timeline: u32,
    /// Size of the files of the log, bytes.
    pub(super) segment_bytes: u64,
}

/// `DBState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A primary that was shut down properly.
    ShutDown,
    /// A standby that was shut down properly.
    ShutDownInRecovery,
    /// A standby that runs, or ended by itself.
    InArchiveRecovery,
    /// Anything else: a primary that runs, or ended by itself.
    Primary,
}

/// Reads the file of a data directory. An error of kind `InvalidData`: it is none that is known.
pub(super) fn read(data: &Path) -> Result<PgControl> {
    let path = data.join("global/pg_control");
    let mut last = Error::from(ErrorKind::InvalidData);
    for _ in 0..ATTEMPTS {
        match std::fs::read(&path).and_then(|bytes| parse(&bytes)) {
            // The server may have been in the middle of writing it.
            Err(error) if error.kind() == ErrorKind::InvalidData => last = error,
            other => return other,
        }
    }
    Err(last)
}

fn parse(bytes: &[u8]) -> Result<PgControl> {
    let wrong = |why: &'static str| Error::new(ErrorKind::InvalidData, why);
    if protected(bytes).is_none_or(|end| end < 232) {
        return Err(wrong("its checksum does not match"));
    }
    let u32_at = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    if !VERSIONS.contains(&u32_at(8)) {
        return Err(wrong("it is of an unknown version of PostgreSQL"));
    }
    let state = match u32_at(16) {
        1 => State::ShutDown,
        2 => State::ShutDownInRecovery,
        5 => State::InArchiveRecovery,
        0 | 3 | 4 | 6 => State::Primary,
        _ => return Err(wrong("its state is unknown")),
    };
    Ok(PgControl {
        system_id: u64_at(0),
        state,
        checkpoint: Lsn(u64_at(32)),
        timeline: u32_at(48),
        minimum_recovery: Lsn(u64_at(136)),
        minimum_recovery_timeline: u32_at(144),
        segment_bytes: u64::from(u32_at(228)),
    })
}
