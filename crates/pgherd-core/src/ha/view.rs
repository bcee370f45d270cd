//! What was seen a moment ago. "Don't know" is a value of every observation, and never means "no".

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::node::{Lsn, NodeId};

/// Everything a decision looks at besides the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The time, read before anything was looked at.
    pub now: Timestamp,
    /// What the user wants.
    pub wanted: Wanted,
    /// What the user asked for and has no answer to yet.
    pub request: Option<Request>,
    /// Every node the memory knows and every directory there is. A node that is left out is one nothing is known of.
    pub nodes: BTreeMap<NodeId, Node>,
    /// Where the endpoints lead; `None`: don't know.
    pub route: Option<Route>,
}

/// What the user wants of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whether it serves. `false` is a stop on purpose, which lasts.
    pub serve: bool,
    /// Whether nobody has used the database yet. A standby then begins as the primary did, and need not wait until that serves.
    pub is_new: bool,
    /// How many standbys beside the primary (`multi_az`: 1).
    pub standbys: u8,
    /// How many read replicas.
    pub replicas: u8,
    /// What happens to commits when no standby is there.
    pub sync: SyncMode,
    /// What a commit waits for.
    pub commit: CommitLevel,
    /// Whether the maintenance window is open now.
    pub window_open: bool,
    /// How long a write probe may go unanswered before the primary counts as hung.
    pub hang_deadline_ms: u32,
    /// How long writes may be held up by a planned switchover before it is called off.
    pub switchover_limit_ms: u32,
    /// How long a running standby may be disconnected before commits go on without it.
    pub standby_grace_ms: u32,
    /// Above this size an old primary is rewound rather than copied anew.
    pub rewind_above_mib: u32,
}

impl Default for Wanted {
    /// One instance without standby or replica, and the documented deadlines.
    fn default() -> Self {
        Self {
            serve: true,
            is_new: false,
            standbys: 0,
            replicas: 0,
            sync: SyncMode::Preferred,
            commit: CommitLevel::On,
            window_open: false,
            hang_deadline_ms: 3_000,
            switchover_limit_ms: 5_000,
            standby_grace_ms: 1_000,
            rewind_above_mib: 256,
        }
    }
}

impl Wanted {
    /// Whether commits are to wait for a standby at all.
    pub fn synchronous(&self) -> bool {
        self.standbys > 0 && self.commit != CommitLevel::Local
    }
}

/// `local_sync`: what happens to commits when no standby is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// They go on without it, and the instance says that it is degraded.
    #[default]
    Preferred,
    /// They wait until it is back.
    Required,
}

impl SyncMode {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Required => "required",
        }
    }

    /// What a word means.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Preferred, Self::Required].into_iter().find(|mode| mode.name() == name)
    }
}

/// `synchronous_commit` of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitLevel {
    /// For the primary alone: no standby is ever known to hold everything, so none is promoted by itself.
    Local,
    /// Until the standby has it in its operating system's hands.
    RemoteWrite,
    /// Until the standby has it on disk.
    On,
    /// Until the standby shows it.
    RemoteApply,
}

/// Something the user asked for. The hands keep it until its number is among the answers in the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number, given once and never again.
    pub id: u64,
    /// What.
    pub what: Ask,
}

/// What can be asked for. Counts, and stopping and starting, are not asked for but wanted: see [`Wanted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Exchange the roles of primary and standby without losing a statement.
    Switchover,
    /// Give the primary up now.
    Failover {
        /// Whether a copy may be promoted that is not known to hold every acknowledged commit.
        accept_loss: bool,
    },
    /// Restart every server.
    Restart {
        /// Only those in which something waits for a restart.
        only_pending: bool,
    },
    /// Make a replica an independent database.
    Release {
        /// Which.
        node: NodeId,
    },
}

/// One node, as seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// When looking at it began, at or after [`View::now`]: an earlier one is old news, and nothing is destroyed on its word.
    pub seen_at: Timestamp,
    /// Its processes.
    pub process: Process,
    /// Its data directory.
    pub data: Data,
    /// What it says by SQL; `None`: it could not be asked.
    pub server: Option<Server>,
    /// What became of the write probe; asked of primaries, with `synchronous_commit = local` so that a missing standby does
    /// not look like a hang.
    pub probe: Probe,
    /// The node in its `synchronous_standby_names`, read from its configuration file, whether it runs or not.
    pub names: Names,
    /// The node that a commit was seen to wait for, since this server started and since its names were last set; `None`: none was.
    pub waits_for: Option<NodeId>,
    /// Whether an accepted setting waits for a restart.
    pub pending: Pending,
    /// Trouble with the disk below it.
    pub disk: Disk,
    /// What the hands are busy with for it: copying, rewinding, a checkpoint.
    pub task: Task,
    /// Whether an old data directory is kept beside it as evidence; `None`: don't know.
    pub evidence: Option<bool>,
    /// What [`Verb::Examine`](super::Verb::Examine) found in its directory.
    pub examined: Option<Examined>,
}

impl Node {
    /// One nothing is known of.
    pub fn unknown(seen_at: Timestamp) -> Self {
        Self {
            seen_at,
            process: Process::Unknown,
            data: Data::Unknown,
            server: None,
            probe: Probe::Unknown,
            names: Names::Unknown,
            waits_for: None,
            pending: Pending::Unknown,
            disk: Disk::Unknown,
            task: Task::Idle,
            evidence: None,
            examined: None,
        }
    }

    /// Whether its server takes connections.
    pub fn is_ready(&self) -> bool {
        matches!(self.process, Process::Running { ready: true, .. })
    }

    /// Whether there is a process of it, or may be.
    pub fn may_run(&self) -> bool {
        self.process != Process::Dead
    }

    /// What its data directory says of itself.
    pub fn control(&self) -> Option<&Control> {
        match &self.data {
            Data::Present(control) => Some(control),
            Data::Unknown | Data::Absent | Data::Foreign => None,
        }
    }

    /// What it says as a primary.
    pub fn as_primary(&self) -> Option<&Primary> {
        match &self.server {
            Some(Server::Primary(primary)) => Some(primary),
            Some(Server::Standby(_)) | None => None,
        }
    }

    /// What it says as a standby.
    pub fn as_standby(&self) -> Option<&Standby> {
        match &self.server {
            Some(Server::Standby(standby)) => Some(standby),
            Some(Server::Primary(_)) | None => None,
        }
    }

    /// Whether it is a primary that takes connections.
    pub fn is_serving_primary(&self) -> bool {
        self.is_ready() && self.as_primary().is_some()
    }
}

/// The processes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Don't know.
    Unknown,
    /// None at all, neither postmaster nor backend, and no tool of ours at work in its directory.
    Dead,
    /// The postmaster is gone and others are left: backends that may still commit and answer.
    Orphans,
    /// A postmaster.
    Running {
        /// Tells this start from every other one.
        start: u64,
        /// When it started.
        since: Timestamp,
        /// Whether it takes connections; `false` while it starts, recovers or stops.
        ready: bool,
    },
}

/// A data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Don't know. A disk that does not answer is this one; nothing is started next to it.
    Unknown,
    /// Nothing is there. `Init` and `Clone` work beside it and rename, so half-made ones are this, too.
    Absent,
    /// Something is there that is no data directory, or one that cannot be read.
    Foreign,
    /// A data directory.
    Present(Control),
}

/// What a data directory says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Which database it belongs to.
    pub system_id: u64,
    /// The newest timeline in it: of `pg_control`, its minimum recovery point, and the history files, the highest.
    /// After a fast promotion `pg_control` alone is behind until the next checkpoint.
    pub timeline: u32,
    /// What it last ran as, by the cluster state in `pg_control`.
    pub last_role: LastRole,
    /// Whether it was shut down properly.
    pub clean: bool,
    /// Where its log ends; `None`: don't know. Of a clean one the end of the last checkpoint record.
    pub end: Option<Lsn>,
    /// The number of the copy or rewind that was last completed here.
    pub made_by: Option<u64>,
    /// Whether a rewind began here and did not end.
    pub torn: bool,
    /// Its size; `None`: not measured.
    pub mib: Option<u32>,
}

/// What a data directory last ran as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRole {
    /// A primary.
    Primary,
    /// A standby or replica.
    Standby,
}

/// What a running server says by SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// It takes writes.
    Primary(Primary),
    /// It is in recovery.
    Standby(Standby),
}

/// What a primary says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Its timeline.
    pub timeline: u32,
    /// Where it writes now.
    pub lsn: Lsn,
    /// Where its timeline left the one before; `None` on the first.
    pub fork: Option<Lsn>,
    /// Who streams from it, by application name.
    pub senders: BTreeMap<NodeId, Sender>,
    /// Its replication slots.
    pub slots: BTreeMap<NodeId, Slot>,
}

/// A row of `pg_stat_replication`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Whether `sync_state` is `sync`.
    pub sync: bool,
    /// Whether its WAL sender takes it for one that commits wait for (`sync_priority` is not 0).
    pub counts: bool,
    /// Whether it streams, rather than catches up or copies.
    pub streaming: bool,
    /// Up to where the standby has what the commit level asks for: written, flushed or replayed.
    pub held: Lsn,
}

/// A replication slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// It keeps what its user needs.
    Well,
    /// It lost what its user needs (`wal_status = lost`).
    Lost,
}

/// What a standby or replica says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standby {
    /// The timeline it is on.
    pub timeline: u32,
    /// Up to where it received the log, or found it when it started.
    pub received: Lsn,
    /// Up to where it has the log on disk.
    pub flushed: Lsn,
    /// Up to where it shows it.
    pub replayed: Lsn,
    /// Whom its `primary_conninfo` names.
    pub follows: Option<NodeId>,
    /// Whether its WAL receiver streams.
    pub streaming: bool,
    /// Slots it has kept from a time as primary; they keep its log for ever.
    pub slots: BTreeSet<NodeId>,
}

/// What became of the write probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// None was sent yet.
    Unknown,
    /// The last one was answered.
    Answered,
    /// The server refuses connections, for so long: it starts, or recovers from a crash of a backend.
    Refused {
        /// Since the last answer.
        for_ms: u32,
    },
    /// No answer, for so long.
    Waiting {
        /// Since the oldest unanswered probe was sent.
        for_ms: u32,
    },
}

/// The content of `synchronous_standby_names`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Don't know.
    Unknown,
    /// Empty: commits wait for nobody.
    Nobody,
    /// `FIRST 1 (node)`.
    Node(NodeId),
}

/// Whether accepted settings wait for a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Don't know.
    Unknown,
    /// None does.
    Nothing,
    /// Some do.
    Restart,
    /// Some do that a standby must not have lower than its primary (`max_connections`, `max_worker_processes`,
    /// `max_wal_senders`, `max_prepared_transactions`, `max_locks_per_transaction`), and they get lower: the primary goes
    /// first, or the standby stops replaying.
    Lowers,
}

/// Trouble with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Don't know.
    Unknown,
    /// None.
    Well,
    /// It is full.
    Full,
    /// It fails.
    Failing,
}

impl Disk {
    /// Whether nothing should be put onto it.
    pub fn is_in_trouble(self) -> bool {
        matches!(self, Self::Full | Self::Failing)
    }
}

/// What the hands are busy with for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Nothing.
    Idle,
    /// Something.
    Busy,
    /// Nothing; a copy or rewind ended without success.
    Failed {
        /// Number of that copy or rewind.
        serial: u64,
        /// Why.
        why: String,
    },
}

/// What was found in the directory of a primary that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Where its log ends.
    pub end: Lsn,
    /// How many commits of it are behind the fork and so did not survive; `None`: cannot be told.
    pub lost_commits: Option<u64>,
}

/// Where the endpoints lead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Route {
    /// Node that takes writes.
    pub write: Option<NodeId>,
    /// Nodes that take reads.
    pub read: BTreeSet<NodeId>,
    /// Whether the pooler holds its clients back.
    pub paused: bool,
}
