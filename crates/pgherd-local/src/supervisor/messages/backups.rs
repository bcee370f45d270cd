//! What travels about backups: what is asked for, and what is told of what is stored.

use std::path::PathBuf;

use jiff::Timestamp;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use crate::desired::Wanted;

/// Body of `POST /v1/instances/{name}/backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHow {
    /// What to call it.
    pub label: String,
}

/// Refuses what cannot name a backup, before anything is copied: a name becomes a folder, and nothing in it may lead elsewhere.
pub fn check_backup_name(name: &str) -> Result<(), ProviderError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if (1..=200).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    Err(ProviderError::new(ErrorKind::Invalid, format!("{name:?} cannot name a backup"))
        .help("use letters, digits, - and _"))
}

/// Body of `POST /v1/instances/{name}/restore`.
#[derive(Clone, Serialize, Deserialize)]
pub struct RestoreHow {
    /// Name of the instance that is made.
    pub to: String,
    /// What it should be.
    pub wanted: Wanted,
    /// A password the user wrote. `None`: one is generated.
    pub master_password: Option<String>,
    /// As of when.
    pub point: RestorePoint,
    /// Whether only to say what would be used.
    #[serde(default)]
    pub dry_run: bool,
}

/// As of when an instance is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestorePoint {
    /// What it held last, or holds now.
    Latest,
    /// This moment.
    At(Timestamp),
    /// This place in the log.
    Lsn(String),
    /// This backup.
    Backup(String),
    /// What it holds now, copied from itself rather than from a backup.
    Now,
}

/// Answer of `GET /v1/instances/{name}/backups`: of an instance that is gone, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupsReport {
    /// Those that are kept, oldest first.
    pub kept: Vec<Backup>,
    /// What was put aside, oldest first.
    #[serde(default)]
    pub aside: Vec<AsideReport>,
    /// The moments it can be restored to.
    pub restorable: Option<Span>,
    /// Moments before those, with a hole between: of what it was before, or before log that is lost.
    #[serde(default)]
    pub also_restorable: Vec<Span>,
}

/// One row of `GET /v1/stored`: a name that something is stored of, whoever has a block of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The name.
    pub name: String,
    /// Whether there is a database of the name on this machine.
    pub is_there: bool,
    /// Whole backups of it.
    pub backups: u64,
    /// The last of them; `None`: there is only log.
    pub last: Option<Backup>,
    /// Up to when it can be restored.
    pub restorable_to: Option<Timestamp>,
    /// Why what is stored of it cannot be listed.
    pub failure: Option<String>,
}

/// What an instance held before other data was put in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideReport {
    /// Its name.
    pub name: String,
    /// When it was put aside.
    pub at: Timestamp,
    /// Bytes it occupies; `None`: it is not there any more.
    pub bytes: Option<u64>,
    /// Where it is.
    pub path: PathBuf,
}

/// A look over everything that is stored of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// When it was begun.
    pub at: Timestamp,
    /// Backups that were found.
    pub backups: u64,
    /// Files of the log that were found.
    pub segments: u64,
    /// Bytes that were read back, as they were before they were stored.
    pub bytes: u64,
    /// What is wrong; nothing, where all is well.
    pub findings: Vec<Finding>,
}

/// Something stored that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `damaged`, `missing`, `gap`, `foreign`, `key_lost`, `apart`.
    pub trouble: String,
    /// With what: its place in the repository.
    pub at: String,
    /// One sentence.
    pub message: String,
}

/// The archive of an instance's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveReport {
    /// Finished segments that are on the server's disk alone.
    pub waiting: u64,
    /// Bytes of them.
    #[serde(default)]
    pub waiting_bytes: u64,
    /// Since when the oldest of them waits.
    pub waiting_since: Option<Timestamp>,
    /// When the last one was archived.
    pub last_at: Option<Timestamp>,
    /// Why the last attempt failed, if it did; in words.
    pub failure: Option<String>,
}

/// What a second repository has of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReport {
    /// Where it is.
    pub place: String,
    /// Since when the agent keeps it in step.
    #[serde(default)]
    pub kept_since: Option<Timestamp>,
    /// As of when it last had everything.
    pub in_step_at: Option<Timestamp>,
    /// What it lacks: files of backups, files of the log and what describes them.
    pub objects: u64,
    /// Those of it that are files of the log.
    #[serde(default)]
    pub segments: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Since when the oldest of them is stored here.
    pub behind_since: Option<Timestamp>,
    /// Backups that only it has.
    #[serde(default)]
    pub only_there: Vec<String>,
    /// Why they are not there, where something is wrong.
    pub failure: Option<String>,
}

/// A restore for practice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// When it ended.
    pub at: Timestamp,
    /// The backup it began with.
    pub backup: String,
    /// How long it took until the copy could be used, ms.
    pub took_ms: u64,
    /// The last commit that was in the copy.
    pub last_commit_at: Option<Timestamp>,
    /// How many tables were found in it.
    pub tables: u64,
    /// Why it failed; `None`: it did not.
    pub failure: Option<String>,
    /// When the last one before it went well.
    #[serde(default)]
    pub passed_before: Option<Timestamp>,
}

impl DrillReport {
    /// When a backup was last restored.
    pub fn last_passed(&self) -> Option<Timestamp> {
        if self.failure.is_none() { Some(self.at) } else { self.passed_before }
    }
}

/// A time with an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When it began.
    pub since: Timestamp,
    /// When it ended.
    pub until: Timestamp,
}

/// A backup that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Bytes.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether the schedule took it, which also deletes it.
    #[serde(default)]
    pub automatic: bool,
    /// Whether it is the last one of a database that was destroyed.
    #[serde(default)]
    pub is_final: bool,
    /// Whether it is known to be damaged.
    #[serde(default)]
    pub damaged: bool,
    /// Which of the databases that had the name one after the other it is of; `None`: the repository does not know.
    #[serde(default)]
    pub generation: Option<u32>,
    /// Version of the server it was taken of.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// Whether it is encrypted; `None`: not known.
    #[serde(default)]
    pub encrypted: Option<bool>,
    /// Where in the log it begins, as PostgreSQL writes a place.
    #[serde(default)]
    pub start_lsn: Option<String>,
    /// When it was last shown to be whole.
    #[serde(default)]
    pub verified_at: Option<Timestamp>,
    /// The whole backup that it holds only the changes since; `None`: it is whole itself.
    #[serde(default)]
    pub base: Option<String>,
}
