//! What a target tells of a database that exists, the same on every target: status, backups, settings.
//!
//! Invariant: what a target does not tell is absent, never 0 or a default.

use jiff::Timestamp;
use serde::Serialize;

use crate::resource::{Pending, Status};

/// How a database is: what `status` shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Instance name.
    pub name: String,
    /// What it is doing.
    pub status: Status,
    /// PostgreSQL version that runs.
    pub engine_version: Option<String>,
    /// Where applications connect; `None` until it has an address.
    pub address: Option<Address>,
    /// Its servers and what stands in front of them, the primary first.
    pub servers: Vec<Server>,
    /// Its storage.
    pub storage: Storage,
    /// What was accepted and waits.
    pub pending: Vec<Pending>,
    /// What the target itself will do to it, and when.
    pub maintenance: Vec<Pending>,
    /// When the maintenance window opens next, while something waits for it.
    pub window_opens: Option<Timestamp>,
    /// Its backups.
    pub backups: Backups,
    /// Its alarms.
    pub alarms: Vec<Alarm>,
    /// What happened to it lately, oldest first.
    pub happened: Vec<Happened>,
    /// What is not as it should be, one sentence each.
    pub warnings: Vec<String>,
}

/// Where somebody connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A server of a database, or a pooler in front of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// What it is called; `None`: the target gives it no name (the standby of RDS).
    pub name: Option<String>,
    /// `primary`, `standby`, `replica`, `pooler`, or `copies`: of its backups in another region.
    pub role: String,
    /// The target's own word for what it is doing.
    pub state: String,
    /// Where it is reached; `None`: it is not.
    pub address: Option<Address>,
    /// The zone or region it is in.
    pub place: Option<String>,
    /// How far it is behind the primary, ms.
    pub behind_ms: Option<u64>,
}

/// The storage of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// GiB it may use now (it may have grown).
    pub allocated_gib: Option<u64>,
    /// GiB up to which it may grow; `None`: it does not grow.
    pub max_allocated_gib: Option<u64>,
    /// Bytes in use.
    pub used_bytes: Option<u64>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
}

/// The backups of a database: what `backups` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backups {
    /// Those that are kept, oldest first.
    pub kept: Vec<Backup>,
    /// The moments it can be restored to; `None`: only its backups.
    pub restorable: Option<Restorable>,
    /// Moments before those, with a hole between.
    pub also_restorable: Vec<Restorable>,
}

/// A backup that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// Whether the target took it by itself, and deletes it by itself.
    pub automatic: bool,
    /// The target's own word for what it is doing.
    pub state: String,
    /// When it was taken; `None`: it is being taken.
    pub taken_at: Option<Timestamp>,
    /// Its size; `None`: the target does not tell.
    pub bytes: Option<u64>,
    /// PostgreSQL version it was taken of.
    pub engine_version: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The region it is in, where that is not the database's.
    pub region: Option<String>,
    /// Whether it is the last one of a database that was destroyed; `None`: the target makes no difference.
    pub last: Option<bool>,
    /// Where in the log it begins, as PostgreSQL writes a place; `None`: the target does not tell.
    pub lsn: Option<String>,
    /// When it was last shown to be whole: read back, or restored; `None`: never, or the target does not tell.
    pub verified_at: Option<Timestamp>,
    /// The whole backup that it holds only the changes since; absent: it is whole itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Which of the databases that had the name one after the other it is of; `None`: the target does not tell.
    pub generation: Option<u32>,
}

/// The moments a database can be restored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Restorable {
    /// The first of them; `None`: the target does not tell.
    pub from: Option<Timestamp>,
    /// The last of them.
    pub to: Timestamp,
}

/// An alarm on a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: AlarmState,
    /// What it says of its state, in the target's words.
    pub reason: String,
}

/// How an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// All is well.
    Ok,
    /// It rings.
    Rings,
    /// There is too little to judge by.
    Unknown,
}

/// Something that happened to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// To what of it: a server, a group of settings.
    pub to: String,
    /// What, in the target's words.
    pub message: String,
}

/// Which part of a log is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogAsked {
    /// How many of the last lines to begin with.
    pub lines: usize,
    /// Whether to go on with what is written from then on.
    pub follow: bool,
}

/// A PostgreSQL setting of a database: a row of `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveParameter {
    /// Name.
    pub name: String,
    /// Value in the target's spelling; `None`: PostgreSQL's own default, which the target does not tell.
    pub value: Option<String>,
    /// Base unit of the value, where it is a bare number of one.
    pub unit: Option<String>,
    /// Where the value comes from, in the target's own word: `configuration file`, `user`, `engine-default`.
    pub source: String,
    /// Whether somebody set it, rather than PostgreSQL or the target itself.
    pub is_set: bool,
    /// PostgreSQL's own word for when it can change (`pg_settings.context`); `None`: the target does not tell.
    pub context: Option<String>,
    /// When a change takes effect.
    pub takes_effect: TakesEffect,
    /// Whether a changed value waits for a restart.
    pub pending_restart: bool,
    /// Values that are allowed, in the target's words; empty: not told.
    pub allowed: String,
    /// One sentence on what it is.
    pub description: String,
}

/// When a change of a setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TakesEffect {
    /// At once, for new connections at the latest.
    AtOnce,
    /// At a restart.
    AtRestart,
    /// Never: it is fixed.
    Never,
}
