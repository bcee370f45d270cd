//! What travels over the socket, version 1. Everything is JSON; see [`super::api`] for the paths.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::resource::{Pending, Status};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use crate::desired::Wanted;

/// Version of the API; a client and an agent of different numbers do not talk.
pub const API_VERSION: u32 = 1;

/// How long `GET /v1/changes` waits for a change before it answers all the same.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// Answer of `GET /v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Version of the agent's program.
    pub version: String,
    /// Version of its API.
    pub api: u32,
    /// Its process.
    pub pid: u32,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// What it looks after.
    pub state_dir: PathBuf,
    /// Whether it answers `GET /v1/changes`; older ones do not.
    #[serde(default)]
    pub tells_changes: bool,
}

/// Answer of `GET /v1/changes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// How many changes of instances this agent has shown.
    pub generation: u64,
}

/// One instance as it is: answer of `GET /v1/instances/{name}`, and an element of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// What was last asked of it and accepted.
    pub wanted: Wanted,
    /// What it really is, field by field, under the names of [`crate::desired::KINDS`]. Absent fields are unknown.
    pub observed: serde_json::Map<String, serde_json::Value>,
    /// The settings of the running server, or those accepted that wait for a restart, by name, as `SHOW` gives them.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The master role's SCRAM verifier as the server stores it, where the server can be asked.
    pub master_verifier: Option<String>,
    /// What it is doing.
    pub status: Status,
    /// What was accepted and waits.
    pub pending: Vec<Pending>,
    /// Where clients connect.
    pub endpoint: Endpoint,
    /// Where clients connect that only read, spread over the replicas; `None`: there is one server.
    #[serde(default)]
    pub read_port: Option<u16>,
    /// Its read replicas, in the order of their numbers.
    #[serde(default)]
    pub replicas: Vec<Reader>,
}

/// A read replica, for who wants this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// `n2`, `n3`, …
    pub name: String,
    /// Its own port.
    pub port: u16,
}

/// Where clients connect, and with which files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// A name the server's certificate carries.
    pub host: String,
    /// TCP port of the server, past any pooler; 0 until one was chosen.
    pub port: u16,
    /// TCP port of the pooler, which applications connect to; `None`: there is none.
    #[serde(default)]
    pub pooler_port: Option<u16>,
    /// Ports of the servers that take writes or may take over, the primary first; empty: there is one server.
    #[serde(default)]
    pub servers: Vec<u16>,
    /// Initial database.
    pub database: String,
    /// Master role.
    pub username: String,
    /// Certificate authority for `sslmode=verify-full`.
    pub ca_file: PathBuf,
    /// `{username,password,host,port,dbname}`, 0600.
    pub secret_file: PathBuf,
    /// libpq's passfile, 0600.
    pub passfile: PathBuf,
    /// Directory of the unix socket.
    pub socket_dir: PathBuf,
    /// System identifier of the cluster, once there is one.
    pub system_identifier: Option<String>,
}

/// Body of `PUT /v1/instances/{name}`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Put {
    /// What it should be.
    pub wanted: Wanted,
    /// A password the user wrote. `None`: keep the one there is, or generate one.
    pub master_password: Option<String>,
    /// Whether restarts happen now rather than in the window.
    pub apply_now: bool,
}

/// Body of `DELETE /v1/instances/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// Name of the last backup; `None` takes none.
    pub final_backup: Option<String>,
}

/// Body of `POST /v1/instances/{name}/failover`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverHow {
    /// Whether a copy may take over that is not known to hold every acknowledged commit.
    #[serde(default)]
    pub accept_loss: bool,
}

/// Body of `POST /v1/instances/{name}/promote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoteHow {
    /// Which replica, `n3`; `None`: the only one.
    #[serde(default)]
    pub replica: Option<String>,
    /// Name of the instance it becomes.
    pub to: String,
}

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

/// One line of the answer to anything that changes an instance (`application/x-ndjson`): steps, then exactly one result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line")]
pub enum Line {
    /// It is in a new phase.
    Phase {
        /// In words.
        phase: String,
    },
    /// Something worth saying that is no phase.
    Said {
        /// In words.
        message: String,
    },
    /// So many bytes are done.
    Progress {
        /// Bytes.
        done: u64,
        /// Of so many, where that is known.
        total: Option<u64>,
    },
    /// What is stored was looked over.
    Checked {
        /// What was found.
        report: CheckReport,
    },
    /// It is done.
    Done,
    /// It is not.
    Failed {
        /// Why.
        error: ProviderError,
    },
}

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

/// One row of `GET /v1/instances/{name}/params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Value as `SHOW` gives it, unit included.
    pub value: String,
    /// Base unit, where it has one.
    pub unit: Option<String>,
    /// Where the value comes from: `default`, `configuration file`, …
    pub source: String,
    /// When it can change: `user`, `sighup`, `postmaster`, …
    pub context: String,
    /// Whether a changed value waits for a restart.
    pub pending_restart: bool,
    /// One sentence on what it is.
    pub description: String,
}

/// Something that happened to an instance: a line of its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// Instance.
    pub instance: String,
    /// What, in words.
    pub message: String,
}
