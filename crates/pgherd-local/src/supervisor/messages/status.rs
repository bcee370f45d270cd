//! What travels as the status of an instance.

use jiff::Timestamp;
use pgherd_core::resource::{Pending, Status};
use serde::{Deserialize, Serialize};

use super::{ArchiveReport, AsideReport, Backup, CheckReport, CopyReport, DrillReport, Endpoint, Span};

/// Answer of `GET /v1/instances/{name}/status`: everything `pgherd status` shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Instance name.
    pub name: String,
    /// What it is doing.
    pub status: Status,
    /// Version that runs, or will run.
    pub engine_version: Option<String>,
    /// Version that was asked for, when it is another one.
    pub engine_asked: Option<String>,
    /// Where clients connect.
    pub endpoint: Endpoint,
    /// Its servers.
    pub nodes: Vec<Node>,
    /// The standby that commits wait for, and that takes over by itself.
    #[serde(default)]
    pub commits_wait_for: Option<String>,
    /// Since when no standby holds every commit although one is wanted.
    #[serde(default)]
    pub degraded_since: Option<Timestamp>,
    /// Whether commits wait for a standby that is not there: `local_sync = "required"`.
    #[serde(default)]
    pub commits_blocked: bool,
    /// The last times no standby held every commit, oldest first.
    #[serde(default)]
    pub degraded: Vec<Span>,
    /// The last change of primary.
    #[serde(default)]
    pub last_failover: Option<FailoverReport>,
    /// Where clients connect that only read; `None`: there is one server.
    #[serde(default)]
    pub read_port: Option<u16>,
    /// How its ports are held, where that is a forwarder's business; `None`: the port is the one server's own, or the
    /// forwarder does not answer.
    #[serde(default)]
    pub ways: Option<WaysReport>,
    /// The pooler; `None`: there is none.
    #[serde(default)]
    pub pooler: Option<PoolerReport>,
    /// Its storage.
    pub storage: StorageReport,
    /// Which limits of the size are enforced, and how, one sentence each.
    pub limits: Vec<String>,
    /// What was accepted and waits.
    pub pending: Vec<Pending>,
    /// When the maintenance window opens next, while something waits for it.
    pub window_opens: Option<Timestamp>,
    /// Backups kept, oldest first.
    pub backups: Vec<Backup>,
    /// The moments it can be restored to.
    #[serde(default)]
    pub restorable: Option<Span>,
    /// What it held before other data was put in its place, oldest first.
    #[serde(default)]
    pub aside: Vec<AsideReport>,
    /// The archive of its log; `None`: there is none.
    #[serde(default)]
    pub archive: Option<ArchiveReport>,
    /// The copy of everything that is stored in the second repository; `None`: none is wanted.
    #[serde(default)]
    pub second_copy: Option<CopyReport>,
    /// The last drill: when a backup was last restored for practice, and how that went.
    #[serde(default)]
    pub last_drill: Option<DrillReport>,
    /// The last look over everything that is stored.
    #[serde(default)]
    pub last_check: Option<CheckReport>,
    /// When the next drill by schedule is due; `None`: there is nothing to practise with, or it was not looked yet.
    #[serde(default)]
    pub next_drill_at: Option<Timestamp>,
    /// When the server's certificate ends.
    pub tls_expires_at: Option<Timestamp>,
    /// What is not as it should be, one sentence each.
    pub warnings: Vec<String>,
}

/// One server of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `n1`, `n2`, …
    pub name: String,
    /// `primary`, `standby` or `replica`.
    pub role: String,
    /// `running`, `stopped`, `starting`, …
    pub state: String,
    /// Its own port.
    pub port: u16,
    /// Its postmaster.
    pub pid: Option<u32>,
    /// Since when it serves.
    pub started_at: Option<Timestamp>,
    /// Client connections.
    pub connections: Option<u32>,
    /// How it follows the primary; `None`: it is the primary, or does not.
    #[serde(default)]
    pub follows: Option<Follows>,
}

/// How a standby or replica follows, as its primary sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    /// Whether commits wait for it.
    pub synchronous: bool,
    /// Whether it gets the log as it is written, rather than catching up.
    pub streaming: bool,
    /// Bytes of log that it does not show yet; `None`: not known.
    pub behind_bytes: Option<u64>,
    /// How long the last commits took until it showed them, ms; 0 when it shows all there is; `None`: not known.
    pub behind_ms: Option<u64>,
}

/// One way in that a forwarder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayReport {
    /// Its port.
    pub port: u16,
    /// The servers it leads to; none: new connections wait.
    pub leads_to: Vec<String>,
    /// Whether connections for writing are held back although there is a primary, for a switchover.
    pub paused: bool,
    /// Where it does not listen although it should, and why, one sentence each.
    pub not_held: Vec<String>,
    /// Connections that lead to a server now.
    pub connected: u32,
    /// Connections that wait for one.
    pub waiting: u32,
    /// How many were refused because of their address, since the forwarder started.
    pub refused: u64,
    /// How many were closed because they waited too long, or too many waited, since the forwarder started.
    pub given_up: u64,
}

/// The ways in of an instance of several servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysReport {
    /// For writing.
    pub write: WayReport,
    /// For reading only.
    pub read: Option<WayReport>,
}

/// The pooler in front of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolerReport {
    /// Where its clients connect.
    pub port: u16,
    /// `running`, `holding clients back`, `being told where to lead`, `starting`, `down`.
    pub state: String,
    /// Its process.
    pub pid: Option<u32>,
    /// When a server connection goes to another client: `session`, `transaction`, `statement`.
    pub pool_mode: String,
    /// Server connections for each database and user.
    pub default_pool_size: u32,
    /// Client connections it takes.
    pub max_client_conn: u32,
    /// Client connections it has; `None`: it cannot be asked.
    pub clients: Option<u32>,
}

/// A change of primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverReport {
    /// When it was decided.
    pub at: Timestamp,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Why.
    pub why: String,
    /// Whether it was a planned switchover.
    pub planned: bool,
    /// When the new primary was first seen to take writes.
    pub served_at: Option<Timestamp>,
    /// Whether the new primary was known to hold every acknowledged commit.
    pub whole: bool,
    /// Where the new primary's log parts from the old one's, as PostgreSQL writes a position.
    pub fork: Option<String>,
    /// Where the old primary's log ended; `None`: not found out yet.
    pub old_end: Option<String>,
    /// How many commits of the old primary did not survive, acknowledged or not; `None`: not known.
    pub lost_commits: Option<u64>,
}

/// Storage of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageReport {
    /// Bytes of its data directory; `None` while there is none.
    pub used_bytes: Option<u64>,
    /// GiB it may use now (it may have grown).
    pub allocated_gib: u64,
    /// GiB up to which it may grow.
    pub max_allocated_gib: Option<u64>,
    /// Bytes free on its device.
    pub free_bytes: Option<u64>,
    /// Whether the device is encrypted; `None`: cannot be told.
    pub encrypted: Option<bool>,
}
