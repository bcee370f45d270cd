//! The repository: what backups and log are stored, how, and what may be deleted.
//!
//! Invariants: what is listed is whole and durable; nothing that is stored is ever written over; what is read was verified.
//! Everything here blocks.

mod access;
mod backup;
mod bucket;
mod check;
mod error;
#[cfg(test)]
mod faults;
mod files;
mod folder;
mod generation;
mod helper;
mod keys;
mod location;
mod mirror;
mod object;
mod place;
mod repository;
mod settings;
mod store;
mod wal;

pub use access::Access;
pub use backup::{BackupEnd, BackupReader, BackupStart, BackupWriter, FileWriter, Packing, StoredFile};
pub use check::{Depth, Finding, Trouble};
pub use error::{ArchiveError, ErrorKind, Result};
pub use generation::{Generation, GenerationInfo, Origin};
pub use helper::{DAMAGE_EXIT, archive_main};
pub use keys::KeyRing;
pub use location::Location;
pub use mirror::{Copied, Copies, Heard, Lag, copy, copy_while, fetch, fetch_bytes, lag};
pub use place::Place;
pub use repository::{Options, Repository};
pub use settings::{Settings, Source};
pub use wal::{Pushed, read_history};
