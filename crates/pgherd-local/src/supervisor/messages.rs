//! What travels over the socket, version 1. Everything is JSON; see [`super::api`] for the paths.

mod backups;
mod status;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::resource::{Pending, Status};
use pgherd_engine::provider::ProviderError;
use serde::{Deserialize, Serialize};

pub use backups::{
    ArchiveReport, AsideReport, Backup, BackupHow, BackupsReport, CheckReport, CopyReport, DrillReport, Finding,
    RestoreHow, RestorePoint, Span, Stored, check_backup_name,
};
pub use status::{FailoverReport, Follows, Node, PoolerReport, StatusReport, StorageReport, WayReport, WaysReport};

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
