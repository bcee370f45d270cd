//! What is remembered of the backups of each instance while the agent runs, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use pgherd_core::backups::Failed;
use pgherd_core::ha::NodeId;

use crate::supervisor::messages::CopyReport;

/// What is remembered of one instance.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Since when it was seen to serve without anything being done to it.
    pub calm_since: Option<Timestamp>,
    /// Backups by schedule that failed since the last one that did not.
    pub failed: Option<Failed>,
    /// Why the last one failed.
    pub failure: Option<String>,
    /// Backups that were not read back when they were taken, and cannot be now.
    pub unproven: BTreeSet<String>,
    /// Whether a whole backup and what changed since it did not become one: the next is whole.
    pub doubts_changes: bool,
    /// On which timeline, by which primary, everything that it only streamed was found to be archived.
    pub filled: Option<(u32, NodeId)>,
    /// When that was found.
    pub filled_at: Option<Instant>,
    /// Whether its archive was found to fail.
    pub archive_fails: bool,
    /// Why its archive cannot be looked after, in words.
    pub archive_trouble: Option<String>,
    /// Why a drill by schedule is put off, in words.
    pub drill_put_off: Option<String>,
    /// When the next drill by schedule is due.
    pub drill_due_at: Option<Timestamp>,
    /// Since when nobody knows whether it can be restored, where that is too long ago.
    pub drill_overdue: Option<Timestamp>,
    /// When it was last looked whether that is time.
    pub read_looked_at: Option<Instant>,
    /// When it was last begun to read back everything that is stored, by itself.
    pub read_at: Option<Instant>,
    /// When it was last written down that a disk of it fills up.
    pub pressed_at: Option<Instant>,
    /// How the second repository is doing.
    pub second: Option<CopyReport>,
    /// Whether somebody deleted something there since it was listed.
    pub second_changed: bool,
    /// When a backup was last taken because the log behind all others has a hole.
    pub mended_at: Option<Instant>,
    /// When it was last looked whether a backup is due.
    pub looked_at: Option<Timestamp>,
    /// When the archive was last looked over for what nobody needs any more.
    pub expired_at: Option<Timestamp>,
}

/// Everything of the kind.
#[derive(Debug, Default)]
pub struct Desk {
    known: Mutex<BTreeMap<String, Known>>,
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Desk {
    /// What is remembered of an instance.
    pub fn of(&self, name: &str) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }

    /// Changes that.
    pub fn note(&self, name: &str, change: impl FnOnce(&mut Known)) {
        change(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }

    /// Forgets an instance that is gone.
    pub fn forget(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Whoever holds this may work at the backups of an instance.
    pub fn turn(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone()
    }
}
