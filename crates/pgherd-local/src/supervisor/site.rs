//! What everything that is done to one instance has to know of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::agent::Agent;
use super::history::History;
use super::ledger::Record;
use super::messages::Happening;
use super::observe;
use super::secret::SecretFiles;
use crate::paths::Layout;
use crate::postgres::replication::Place;
use crate::postgres::server::Server;
use crate::postgres::session::Session;

/// How long a connection to our own server may take.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A name the server's certificate carries.
pub const HOST: &str = "localhost";

/// One instance: its name, its folders, and whom it belongs to. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    /// What all instances share.
    pub agent: Arc<Agent>,
    /// Its name.
    pub name: String,
    /// Its folders; each server's own are [`Site::node`].
    pub layout: Layout,
    /// Its password.
    pub secrets: SecretFiles,
    history: History,
}

impl Site {
    /// Of an instance that may or may not exist.
    pub fn of(agent: Arc<Agent>, name: &str) -> Self {
        let layout = agent.options.paths.instance(name);
        Self {
            history: History::of(&agent.options.paths.state, name),
            secrets: SecretFiles::of(&layout.root),
            layout,
            agent,
            name: name.to_owned(),
        }
    }

    /// The folders of one of its servers.
    pub fn node(&self, node: NodeId) -> Layout {
        self.layout.node(node)
    }

    /// Whether any of its servers left data.
    pub fn has_data(&self) -> bool {
        let entries = std::fs::read_dir(&self.layout.root).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.path().join("data").exists())
    }

    /// Where the files of its first standby are made. An agent's own: one that has just ended may still be about it.
    pub fn sown(&self) -> std::path::PathBuf {
        self.layout.scratch.join(format!("seed-{}", std::process::id()))
    }

    /// Removes what earlier agents made of it.
    pub fn forget_sown(&self) {
        let entries = std::fs::read_dir(&self.layout.scratch).into_iter().flatten().flatten();
        let ours = self.sown();
        let is_sown = |name: &str| name.starts_with("seed-");
        for entry in entries.filter(|entry| is_sown(&entry.file_name().to_string_lossy()) && entry.path() != ours) {
            if let Err(error) = std::fs::remove_dir_all(entry.path()) {
                tracing::warn!(instance = self.name, "{}: {error}", entry.path().display());
            }
        }
    }

    /// Its servers that left anything, whether they are known or not.
    pub fn nodes_on_disk(&self) -> Vec<NodeId> {
        let entries = std::fs::read_dir(&self.layout.root).into_iter().flatten().flatten();
        let node = |name: &str| {
            let node = NodeId(name.strip_prefix('n')?.parse().ok()?);
            // `n02` is somebody else's.
            (node.to_string() == name).then_some(node)
        };
        entries.filter_map(|entry| node(entry.file_name().to_str()?)).collect()
    }

    /// Gives every server a port of its own that does not have the instance's, and each further way in one.
    pub fn reserve_node_ports(&self, record: &mut Record) -> Result<(), ProviderError> {
        let nodes = record.nodes();
        for gone in record.node_ports.extract_if(.., |node, _| !nodes.contains(node)) {
            self.agent.release_node_port(&self.name, gone.0);
        }
        for node in nodes {
            if record.is_forwarded() || node != record.primary() {
                let port = self.agent.reserve_node_port(&self.name, node)?;
                record.node_ports.insert(node, port);
            }
        }
        if record.nodes().len() > 1 && record.read_port.is_none() {
            record.read_port = Some(self.agent.reserve_read_port(&self.name)?);
        }
        if record.pool().is_some() && record.pooler_port.is_none() {
            record.pooler_port = Some(self.agent.reserve_pooler_port(&self.name)?);
        }
        Ok(())
    }

    /// One of its servers, as the hands of replication take it: with the port it really has.
    pub fn place(&self, record: &Record, node: NodeId) -> Result<Place, ProviderError> {
        Ok(Place {
            id: node,
            layout: self.node(node),
            port: self.running_port(record, node)?,
            server: chosen(record)?.clone(),
            run_as: self.agent.run_as.clone(),
        })
    }

    /// Records that something happened.
    pub fn note(&self, message: impl Into<String>) {
        self.history.add(&Happening { at: Timestamp::now(), instance: self.name.clone(), message: message.into() });
    }

    /// A session of our own on one of its servers.
    pub async fn connect(&self, record: &Record, node: NodeId, database: &str) -> Result<Session, ProviderError> {
        let port = self.running_port(record, node)?;
        Session::connect(&self.layout.socket, port, database, CONNECT_DEADLINE).await
    }

    /// The port a server really has: after a change of port the old one, until the restart.
    pub fn running_port(&self, record: &Record, node: NodeId) -> Result<u16, ProviderError> {
        observe::running_port(&self.node(node)).or(record.port_of(node)).ok_or_else(|| {
            ProviderError::new(ErrorKind::Unavailable, format!("{node} of {} has no port yet", self.name))
        })
    }
}

/// The server that was chosen for an instance.
pub fn chosen(record: &Record) -> Result<&Server, ProviderError> {
    record.server.as_ref().ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, "no server was chosen yet"))
}

/// There is no such instance.
pub fn absent(name: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("there is no instance {name}"))
}

/// The operating system refused something about a file.
pub fn cannot(doing: &str, path: &std::path::Path, error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, format!("cannot {doing} {}: {error}", path.display()))
}

/// Runs what blocks where it blocks nobody.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
