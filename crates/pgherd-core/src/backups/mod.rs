//! Backups and the log they are continued by: when one is due, what is restorable, what is kept and what may go.
//!
//! Invariant: nothing here does anything; what there is and what time it is are passed in. In doubt, something is kept.

mod due;
mod expire;
mod gone;
mod increment;
mod practice;
mod reach;
mod wal;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use due::{Due, Failed, Schedule, due, slot_before};
pub use expire::{Clusters, Deletion, Retention, expire, expire_ended};
pub use gone::{Gone, expire_gone};
pub use increment::{base_for, kept_for_changes, knows_changes, room_for};
pub use practice::{Drilled, PRACTISE_EVERY, check_due, drill_due, drill_overdue};
pub use reach::{Chain, Gap, Leg, Reach, chain_to, chains, lineage, lineages, reach, timelines_of, without_history};
pub use wal::{History, Lsn, NotAName, SegmentName, Switch, Timeline, WalName};

/// Why a backup was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    /// By the schedule, which also deletes it.
    Automated,
    /// By somebody, who deletes it.
    Manual,
    /// When its database was destroyed; kept until somebody deletes it.
    Final,
}

/// A whole backup in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Unique within its generation.
    pub name: String,
    /// Why it was taken.
    pub kind: BackupKind,
    /// When it was begun.
    pub taken_at: Timestamp,
    /// When it was whole. The database can be restored to no earlier moment from it.
    pub finished_at: Timestamp,
    /// The timeline it was taken on.
    pub timeline: Timeline,
    /// Where in the log recovery from it begins.
    pub start_lsn: Lsn,
    /// Up to where the log has to be replayed before the data is consistent.
    pub end_lsn: Lsn,
    /// Whether it holds the log between the two itself, so that it can be restored without an archive.
    pub self_contained: bool,
    /// Size of a segment of its server's log.
    pub wal_segment_bytes: u64,
    /// The server's version.
    pub version: String,
    /// The cluster's identity.
    pub system_identifier: u64,
    /// Bytes it occupies in the repository.
    pub bytes: u64,
    /// Bytes of what was backed up.
    pub original_bytes: u64,
    /// The key its files are encrypted with; `None`: they are not.
    pub key: Option<String>,
    /// The instance's tags at that time.
    pub tags: BTreeMap<String, String>,
    /// When somebody last proved that it can be used: every file read back, or restored. `None`: never.
    pub verified_at: Option<Timestamp>,
    /// Whether it is known to be damaged, or what it holds the changes since. Such a backup takes the place of no other.
    pub damaged: bool,
    /// The whole backup that it holds only the changes since, and is restored with; `None`: it is whole itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// A file of the log in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WalFile {
    /// What it is.
    pub name: WalName,
    /// Bytes it occupies in the repository.
    pub bytes: u64,
    /// When the server last wrote to it: what was committed up to then, and no earlier segment holds, is in it. `None`:
    /// the store does not tell without opening it.
    pub written_at: Option<Timestamp>,
    /// When it was stored, where the store says so: not before it was written.
    pub stored_at: Option<Timestamp>,
}

/// What one generation of a repository holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// Whole backups, oldest first.
    pub backups: Vec<Backup>,
    /// Files of the log, in order.
    pub wal: Vec<WalFile>,
    /// Where timelines come from, as far as their history files are there and readable.
    pub histories: Vec<History>,
}
