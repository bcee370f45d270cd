//! What all keepers and the API share: the options, who PostgreSQL runs as, and the instances by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::history::History;
use super::keeper::{Handle, Keeper, Shown};
use super::ledger::{self, Record};
use super::{AgentOptions, configure, files};
use crate::ports;
use crate::postgres::runas::RunAs;
use crate::sizing::Machine;

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
    keepers: Mutex<BTreeMap<String, Handle>>,
    tasks: Mutex<JoinSet<()>>,
    ports: Mutex<BTreeMap<String, u16>>,
    /// Counts what was shown of instances.
    generation: watch::Sender<u64>,
    stop: watch::Sender<bool>,
}

impl Agent {
    /// An agent that keeps nothing yet.
    pub fn new(options: AgentOptions, run_as: RunAs) -> Arc<Self> {
        Arc::new(Self {
            options,
            run_as,
            started_at: Timestamp::now(),
            keepers: Mutex::default(),
            tasks: Mutex::default(),
            ports: Mutex::default(),
            generation: watch::Sender::new(0),
            stop: watch::Sender::new(false),
        })
    }

    /// Takes up every instance of the ledger: running servers are adopted, those that should run are started.
    pub fn take_up(self: &Arc<Self>) {
        self.sweep();
        for folder in ledger::folders(&self.options.paths.instances()) {
            match Record::load(&folder) {
                // A copy of a folder is no second instance: two keepers would fight over the one that its record names.
                Ok(Some(record)) if self.options.paths.instance(&record.name).root != folder => {
                    tracing::error!("{} is a copy of {}, and left alone", folder.display(), record.name);
                }
                Ok(Some(record)) => {
                    if let Some(port) = record.port {
                        locked(&self.ports).insert(record.name.clone(), port);
                    }
                    let name = record.name.clone();
                    let handle = self.keep(&name, Some(record));
                    locked(&self.keepers).insert(name, handle);
                }
                Ok(None) => {}
                Err(error) => tracing::error!("{error}"),
            }
        }
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
        let mut ports = locked(&self.ports);
        let kept = ports.get(name).copied();
        if let Some(kept) = asked.or(kept).filter(|port| kept == Some(*port) || own.contains(port)) {
            ports.insert(name.to_owned(), kept);
            return Ok(kept);
        }
        let taken: BTreeSet<u16> = ports.iter().filter(|(owner, _)| *owner != name).map(|(_, port)| *port).collect();
        let port = ports::allocate(asked, ports::RANGE, &taken)?;
        ports.insert(name.to_owned(), port);
        Ok(port)
    }

    /// Gives an instance's port back.
    pub fn release_port(&self, name: &str) {
        locked(&self.ports).remove(name);
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
