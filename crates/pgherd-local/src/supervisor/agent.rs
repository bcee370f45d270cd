//! What all keepers and the API share: the options, who PostgreSQL runs as, and the instances by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

use super::history::History;
use super::keeper::Keeper;
use super::ledger::{self, Record};
use super::names::Names;
use super::requests::{Handle, Shown};
use super::{AgentOptions, backups, configure, files, promotion};
use crate::ports::{self, Claim};
use crate::postgres::runas::RunAs;
use crate::postgres::{prepared, template};
use crate::sizing::Machine;

/// A cluster is made ahead of time this long after the last one was used or removed: whoever makes several is not held up.
const CALM: Duration = Duration::from_secs(5);
/// How nice that is to everything else on the machine.
const NICENESS: i32 = 10;
/// How often, and between two times how long after, ports that were not to be had are claimed again.
const CLAIMS: usize = 50;
const CLAIM_EVERY: Duration = Duration::from_millis(100);
/// How long keepers may go on with what they are doing when the agent is told to end. Everything they do may be cut short.
const LAST_ACTION: Duration = Duration::from_secs(10);

/// What all keepers and the API share.
pub struct Agent {
    /// How the agent was started.
    pub options: AgentOptions,
    /// Who PostgreSQL runs as.
    pub run_as: RunAs,
    /// Since when the agent runs.
    pub started_at: Timestamp,
    /// Names that are asked for right now.
    pub names: Names,
    /// What is remembered of backups.
    pub desk: backups::Desk,
    keepers: Mutex<BTreeMap<String, Handle>>,
    tasks: Mutex<JoinSet<()>>,
    /// Counts what was shown of instances.
    generation: watch::Sender<u64>,
    ports: Mutex<BTreeMap<String, Reserved>>,
    /// Told when an instance was made or removed.
    stock: Notify,
    stop: watch::Sender<bool>,
}

impl Agent {
    /// An agent that keeps nothing yet.
    pub fn new(options: AgentOptions, run_as: RunAs) -> Arc<Self> {
        Arc::new(Self {
            options,
            run_as,
            started_at: Timestamp::now(),
            names: Names::default(),
            desk: backups::Desk::default(),
            keepers: Mutex::default(),
            tasks: Mutex::default(),
            ports: Mutex::default(),
            generation: watch::Sender::new(0),
            stock: Notify::new(),
            stop: watch::Sender::new(false),
        })
    }

    /// Takes up every instance of the ledger: running servers are adopted, those that should run are started.
    pub fn take_up(self: &Arc<Self>) {
        self.sweep();
        let paths = &self.options.paths;
        promotion::settle_all(&paths.instances(), |name| paths.instance(name));
        for folder in ledger::folders(&self.options.paths.instances()) {
            match Record::load(&folder) {
                // A copy of a folder is no second instance: two keepers would fight over the one that its record names.
                Ok(Some(record)) if self.options.paths.instance(&record.name).root != folder => {
                    tracing::error!("{} is a copy of {}, and left alone", folder.display(), record.name);
                }
                Ok(Some(record)) => {
                    let nodes = record.node_ports.iter().map(|(node, port)| (node_owner(&record.name, *node), *port));
                    let read = record.read_port.map(|port| (format!("{}/read", record.name), port));
                    let pooler = record.pooler_port.map(|port| (format!("{}/pooler", record.name), port));
                    let own = record.port.map(|port| (record.name.clone(), port)).into_iter().chain(nodes);
                    let own = own.chain(read).chain(pooler);
                    locked(&self.ports).extend(own.map(|(owner, port)| (owner, Reserved::new(port))));
                    let name = record.name.clone();
                    let handle = self.keep(&name, Some(record));
                    locked(&self.keepers).insert(name, handle);
                }
                Ok(None) => {}
                Err(error) => tracing::error!("{error}"),
            }
        }
        locked(&self.tasks).spawn(self.clone().claim_again());
        locked(&self.tasks).spawn(self.clone().keep_stocked());
        locked(&self.tasks).spawn(backups::keep(self.clone(), self.stop.subscribe()));
        locked(&self.tasks).spawn(backups::keep_second(self.clone(), self.stop.subscribe()));
        self.stock_up();
    }

    /// Claims the ports that could not be claimed at once: what a killed agent was just starting holds its claims until it is a
    /// program of its own. Those of an agent that lives stay its own.
    async fn claim_again(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        for _ in 0..CLAIMS {
            if claim_all(&mut locked(&self.ports)) {
                return;
            }
            if tokio::time::timeout(CLAIM_EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    /// Has something go on until it is done, or the agent ends.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        locked(&self.tasks).spawn(work);
    }

    /// Has one cluster wait for each build of a server in use, soon.
    pub fn stock_up(&self) {
        self.stock.notify_one();
    }

    async fn keep_stocked(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        loop {
            tokio::select! {
                () = self.stock.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            while tokio::time::timeout(CALM, self.stock.notified()).await.is_ok() {}
            if *stop.borrow() {
                return;
            }
            let agent = self.clone();
            let (done, wait) = oneshot::channel();
            // A thread of its own, which keeps its niceness to itself.
            std::thread::spawn(move || {
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
                // Whoever waits for it may have left.
                let _ = done.send(agent.stock());
            });
            if let Ok(Err(error)) = wait.await {
                tracing::warn!("no cluster is made ahead of time: {error}");
            }
        }
    }

    fn stock(&self) -> Result<(), ProviderError> {
        let paths = &self.options.paths;
        let servers =
            self.all().into_iter().filter_map(|shown| shown.record.server.filter(|_| shown.record.memory.made));
        let templates: BTreeSet<PathBuf> =
            servers.filter_map(|server| template::of(&server, &paths.templates())).collect();
        prepared::stock(&templates.into_iter().collect::<Vec<_>>(), &self.run_as, &paths.prepared())
    }

    /// Removes what was put away, while everything else goes on. What is cut short the next agent does.
    pub fn sweep(&self) {
        let removed = self.options.paths.removed();
        locked(&self.tasks).spawn_blocking(move || {
            if let Err(error) = files::sweep(&removed) {
                tracing::warn!("{} cannot be emptied: {error}", removed.display());
            }
        });
    }

    /// The keeper of a name, which is started for a new one.
    pub fn keeper(self: &Arc<Self>, name: &str) -> Result<Handle, ProviderError> {
        check_name(name)?;
        let mut keepers = locked(&self.keepers);
        if let Some(handle) = keepers.get(name) {
            return Ok(handle.clone());
        }
        let record = Record::load(&self.options.paths.instance(name).root)?;
        let handle = self.keep(name, record);
        keepers.insert(name.to_owned(), handle.clone());
        Ok(handle)
    }

    /// What is known of an instance; an error when there is none of that name.
    pub fn shown(&self, name: &str) -> Result<Shown, ProviderError> {
        check_name(name)?;
        let shown = locked(&self.keepers).get(name).and_then(Handle::shown);
        if shown.is_none() {
            // An instance whose ledger cannot be read is not an instance that is gone.
            Record::load(&self.options.paths.instance(name).root)?;
        }
        shown.ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("there is no instance {name}")))
    }

    /// What is known of every instance, by name.
    pub fn all(&self) -> Vec<Shown> {
        locked(&self.keepers).values().filter_map(Handle::shown).collect()
    }

    /// Says that something is shown of an instance that was not before.
    pub fn show_change(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Which generation of all instances is shown: at once, or as soon as it is another one than `known`. After `longest` it is
    /// the same one.
    pub async fn generation(&self, known: Option<u64>, longest: Duration) -> u64 {
        let mut generation = self.generation.subscribe();
        let other = generation.wait_for(|generation| Some(*generation) != known);
        // Either way the newest is told; the sender is ours and lives.
        let _ = tokio::time::timeout(longest, other).await;
        *self.generation.borrow()
    }

    /// The history of an instance, which may be gone.
    pub fn history(&self, name: &str) -> Result<History, ProviderError> {
        check_name(name)?;
        Ok(History::of(&self.options.paths.state, name))
    }

    /// A port for an instance, its own from then on: the one asked for, else its own, else the first free one. Its server may
    /// hold those in `own`, so that they are not free and still its to have.
    pub fn reserve_port(&self, name: &str, asked: Option<u16>, own: &[u16]) -> Result<u16, ProviderError> {
        self.reserve(name, asked, own, ports::RANGE)
    }

    /// A port for one server of an instance that does not have the instance's, its own from then on.
    pub fn reserve_node_port(&self, name: &str, node: NodeId) -> Result<u16, ProviderError> {
        self.reserve(&node_owner(name, node), None, &[], ports::NODE_RANGE)
    }

    /// A port for reading only, the instance's own from then on.
    pub fn reserve_read_port(&self, name: &str) -> Result<u16, ProviderError> {
        self.reserve(&format!("{name}/read"), None, &[], ports::RANGE)
    }

    /// A port for the pooler, the instance's own from then on.
    pub fn reserve_pooler_port(&self, name: &str) -> Result<u16, ProviderError> {
        self.reserve(&format!("{name}/pooler"), None, &[], ports::POOLER_RANGE)
    }

    fn reserve(
        &self,
        name: &str,
        asked: Option<u16>,
        own: &[u16],
        range: RangeInclusive<u16>,
    ) -> Result<u16, ProviderError> {
        let mut reserved = locked(&self.ports);
        let kept = reserved.get(name).map(|reserved| reserved.port);
        if let Some(port) = asked.or(kept).filter(|port| kept == Some(*port) || own.contains(port)) {
            reserved
                .entry(name.to_owned())
                .and_modify(|known| known.become_of(port))
                .or_insert_with(|| Reserved::new(port));
            return Ok(port);
        }
        let others = reserved.iter().filter(|(owner, _)| *owner != name);
        let taken: BTreeSet<u16> = others.map(|(_, reserved)| reserved.port).collect();
        let (port, claim) = ports::allocate(asked, range, &taken)?;
        reserved.insert(name.to_owned(), Reserved { port, claim: Some(claim) });
        Ok(port)
    }

    /// Gives the port of a server back that is no more.
    pub fn release_node_port(&self, name: &str, node: NodeId) {
        locked(&self.ports).remove(&node_owner(name, node));
    }

    /// Gives an instance's ports back.
    pub fn release_ports(&self, name: &str) {
        let of_its_servers = format!("{name}/");
        locked(&self.ports).retain(|owner, _| owner != name && !owner.starts_with(&of_its_servers));
    }

    /// What this machine can give to an instance, besides what it promised to the others.
    pub fn machine(&self, name: &str) -> Machine {
        let others = self.all().into_iter().filter(|shown| shown.record.name != name);
        let promised_mib = others.map(|shown| shown.record.wanted.memory_mib).sum();
        Machine { memory_mib: configure::machine_mib(), promised_mib }
    }

    /// Lets the keepers end what they are doing. PostgreSQL goes on.
    pub async fn end(&self) {
        self.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut *locked(&self.tasks));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ACTION, all).await.is_err() {
            tracing::warn!("an action was cut short; the next agent goes on with it");
        }
    }

    fn keep(self: &Arc<Self>, name: &str, record: Option<Record>) -> Handle {
        let (keeper, handle) = Keeper::new(self.clone(), name, record, self.stop.subscribe());
        locked(&self.tasks).spawn(keeper.run());
        handle
    }
}

/// A port of an instance. The claim is missing when another agent was given the port while this one did not run.
struct Reserved {
    port: u16,
    claim: Option<Claim>,
}

impl Reserved {
    fn new(port: u16) -> Self {
        Self { port, claim: Claim::of(port) }
    }

    fn become_of(&mut self, port: u16) {
        if self.port != port || self.claim.is_none() {
            // Given back first: one process does not get the same claim twice.
            self.claim = None;
            *self = Self::new(port);
        }
    }
}

/// Claims what is not claimed yet; says whether all is.
fn claim_all(ports: &mut BTreeMap<String, Reserved>) -> bool {
    ports.values_mut().for_each(|reserved| reserved.become_of(reserved.port));
    ports.values().all(|reserved| reserved.claim.is_some())
}

/// Whose a server's own port is: no instance has a name with a slash.
fn node_owner(name: &str, node: NodeId) -> String {
    format!("{name}/{node}")
}

/// A name that is safe in a path (variables.md: `^[a-z][a-z0-9-]{0,61}[a-z0-9]$`).
fn check_name(name: &str) -> Result<(), ProviderError> {
    let letters = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if letters && (1..=63).contains(&name.len()) && name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(ProviderError::new(ErrorKind::Invalid, "an instance's name has lower-case letters, digits and hyphens"))
}

/// A lock that a panic elsewhere does not make unusable: each is held for one look or one insertion.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
