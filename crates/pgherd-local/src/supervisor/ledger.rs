//! What the agent knows of each instance, one file each, written before it acts.
//!
//! Invariant: the file is always whole, and holds no password.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgherd_core::ha::{self, NodeId};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use super::alone::Alone;
use super::backups::{Aside, Exchange, Restored};
use super::files;
use super::messages::RestorePoint;
use super::promotion::{Origin, Promotion};
use super::secret;
use super::upkeep::{Goal, Memory};
use crate::desired::{Pool, Wanted};
use crate::postgres::server::Server;

/// Version of the files' format.
const FORMAT: u32 = 3;
const FILE: &str = "instance.json";
/// A ledger whose data is on its way: not an instance yet.
const ANNOUNCED: &str = "announced.json";

/// How a file is replaced.
type Write = fn(&Path, &[u8], u32) -> std::io::Result<()>;

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// Its name.
    pub name: String,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// What was last asked of it and accepted.
    pub wanted: Wanted,
    /// What it was when its server last started: what to go back to.
    pub proven: Option<Wanted>,
    /// What ran it then.
    #[serde(default)]
    pub proven_server: Option<Server>,
    /// What runs it, chosen once and on every change of version.
    pub server: Option<Server>,
    /// What differs from the version asked for, in words.
    pub server_note: Option<String>,
    /// The port its users connect to, chosen once and kept.
    pub port: Option<u16>,
    /// The port for reading only, where there is one.
    pub read_port: Option<u16>,
    /// The pooler's port, kept once there was one.
    #[serde(default)]
    pub pooler_port: Option<u16>,
    /// The pooler that is not wanted any more and stays until the window opens: its clients will be cut off.
    #[serde(default)]
    pub pooler_kept: Option<Pool>,
    /// The servers' own ports, where they are not the instance's.
    pub node_ports: BTreeMap<NodeId, u16>,
    /// System identifier of the cluster.
    pub system_identifier: Option<String>,
    /// What decides what happens next to what it holds.
    pub memory: Memory,
    /// What decides who runs as what.
    pub ha: ha::Memory,
    /// What was asked of the servers and is not answered yet.
    pub request: Option<ha::Request>,
    /// The last number given to a request.
    pub last_request: u64,
    /// What went wrong last, until it goes right.
    pub trouble: Option<String>,
    /// A replica that is to become an instance of its own.
    #[serde(default)]
    pub promotion: Option<Promotion>,
    /// When commits were on the primary alone.
    #[serde(default)]
    pub alone: Alone,
    /// Whose replica it was, where it was one.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// What it was restored from, where it was.
    #[serde(default)]
    pub restored: Option<Restored>,
    /// Data that is to take the place of its own.
    #[serde(default)]
    pub exchange: Option<Exchange>,
    /// What that was asked for as, the last time it was done.
    #[serde(default)]
    pub exchanged: Option<RestorePoint>,
    /// Data in the place of which other data was put, oldest first.
    #[serde(default)]
    pub aside: Vec<Aside>,
    /// Whether it is to be left alone: it is looked after as before, and no plan changes or deletes it.
    #[serde(default)]
    pub forgotten: bool,
}

impl Record {
    /// Of an instance that nothing has been done for.
    pub fn new(name: &str, wanted: Wanted, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            name: name.to_owned(),
            created_at: now,
            memory: Memory::new(wanted.allocated_storage_gib),
            wanted,
            ha: ha::Memory::default(),
            request: None,
            last_request: 0,
            proven: None,
            proven_server: None,
            server: None,
            server_note: None,
            port: None,
            read_port: None,
            pooler_port: None,
            pooler_kept: None,
            node_ports: BTreeMap::new(),
            system_identifier: None,
            trouble: None,
            promotion: None,
            alone: Alone::default(),
            origin: None,
            restored: None,
            exchange: None,
            exchanged: None,
            aside: Vec::new(),
            forgotten: false,
        }
    }

    /// The record in an instance's folder; `None` when there is none.
    pub fn load(folder: &Path) -> Result<Option<Self>, ProviderError> {
        let path = folder.join(FILE);
        let broken = |why: String| {
            ProviderError::new(ErrorKind::Invalid, format!("the ledger {} cannot be read: {why}", path.display()))
                .help("restore it from a copy, or move the instance's folder away; its data is in data/")
        };
        let Some(text) = files::read(&path).map_err(|error| broken(error.to_string()))? else {
            return Ok(None);
        };
        let record: Self = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        if record.format != FORMAT {
            return Err(broken(format!("its format {} is of another version of pgherd", record.format)));
        }
        Ok(Some(record))
    }

    /// The server that is to take writes; the first one, before there is any.
    pub fn primary(&self) -> NodeId {
        self.ha.primary.unwrap_or(NodeId(1))
    }

    /// All servers there are or are to be.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        self.ha.members.keys().chain(self.ha.quarantine.keys()).copied().chain([self.primary()]).collect()
    }

    /// Whether the port its users connect to is a forwarder's, so that it survives a change of primary.
    pub fn is_forwarded(&self) -> bool {
        self.wanted.multi_az
    }

    /// The port a server is to have.
    pub fn port_of(&self, node: NodeId) -> Option<u16> {
        let direct = !self.is_forwarded() && node == self.primary();
        if direct { self.port } else { self.node_ports.get(&node).copied() }
    }

    /// The pooler there is to be now.
    pub fn pool(&self) -> Option<&Pool> {
        self.wanted.pool().or(self.pooler_kept.as_ref())
    }

    /// The port applications connect to: the pooler's, when there is one.
    pub fn applications_port(&self) -> Option<u16> {
        self.pooler_port.filter(|_| self.wanted.pool().is_some()).or(self.port)
    }

    /// All ports its users may connect to.
    pub fn ports(&self) -> BTreeSet<u16> {
        let ways = [self.port, self.pooler_port, self.read_port].into_iter().flatten();
        ways.chain(self.node_ports.values().copied()).collect()
    }

    /// Asks something of the servers.
    pub fn ask(&mut self, what: ha::Ask) -> u64 {
        self.last_request += 1;
        self.request = Some(ha::Request { id: self.last_request, what });
        self.last_request
    }

    /// Takes over what a step learnt, and keeps what was decided meanwhile.
    pub fn take_over(&mut self, learnt: Self, asked: bool) {
        let Self { memory, ha, request, last_request, trouble, promotion, alone, .. } = self.clone();
        // How many replicas are wanted may have changed with one that left.
        let wanted = Wanted { read_replicas: self.wanted.read_replicas, ..learnt.wanted.clone() };
        // Unless the server was asked, a cluster may have been made meanwhile.
        let system_identifier = if asked { &learnt } else { &*self }.system_identifier.clone();
        *self =
            Self { memory, ha, request, last_request, trouble, promotion, alone, wanted, system_identifier, ..learnt };
    }

    /// Takes over what came of an exchange of its data: it is another cluster with other servers.
    pub fn take_over_exchange(&mut self, learnt: Self) {
        let (ha, system_identifier) = (learnt.ha.clone(), learnt.system_identifier.clone());
        self.take_over(learnt, false);
        (self.ha, self.system_identifier) = (ha, system_identifier);
    }

    /// Writes it down durably. Of a database on its way, whose password is not in force, the machine may keep an earlier version:
    /// whatever that says of its servers, they are made anew.
    pub fn save(&self, folder: &Path) -> Result<(), ProviderError> {
        let path = folder.join(FILE);
        let is_on_its_way = !self.memory.made && self.memory.goal == Goal::Serve;
        let is_made_anew = is_on_its_way && path.exists() && !folder.join(secret::FILE).exists();
        self.write(&path, if is_made_anew { files::replace_soon } else { files::replace })
    }

    fn write(&self, path: &Path, write: Write) -> Result<(), ProviderError> {
        let text = serde_json::to_vec_pretty(self).expect("plain data serialises");
        write(path, &text, 0o600).map_err(|error| {
            let message = format!("the ledger {} cannot be written: {error}", path.display());
            ProviderError::new(ErrorKind::Unavailable, message)
        })
    }
}

/// Writes the ledger of an instance down whose data is on its way.
pub fn announce(folder: &Path, record: &Record) -> Result<(), ProviderError> {
    files::make_folder(folder, 0o711).map_err(|error| {
        ProviderError::new(ErrorKind::Unavailable, format!("cannot make {}: {error}", folder.display()))
    })?;
    record.write(&folder.join(ANNOUNCED), files::replace)
}

/// Its data is there: now it is one. One that is one already stays as it is.
pub fn put_announced(folder: &Path) -> std::io::Result<()> {
    let (announced, file) = (folder.join(ANNOUNCED), folder.join(FILE));
    match (announced.exists(), file.exists()) {
        (true, false) => files::rename(&announced, &file),
        (true, true) => files::remove(&announced),
        (false, _) => Ok(()),
    }
}

/// Names of folders in which a ledger is announced.
pub fn announced(instances: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(instances).into_iter().flatten().flatten();
    let announced = entries.filter(|entry| entry.path().join(ANNOUNCED).exists());
    announced.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Forgets an instance: the last step of its removal.
pub fn forget(folder: &Path) -> std::io::Result<()> {
    files::remove(&folder.join(ANNOUNCED))?;
    files::remove(&folder.join(FILE))?;
    files::sync_parent(&folder.join(FILE))
}

/// Folders that hold a record, in order of their names.
pub fn folders(instances: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(instances).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|folder| folder.join(FILE).exists()).collect();
    folders.sort();
    folders
}
