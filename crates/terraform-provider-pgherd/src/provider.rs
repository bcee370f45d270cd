//! The provider itself, and what all its parts share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgherd_core::cloud::Cloud;
use pgherd_core::resource::{Observed, Resource as Wanted};
use pgherd_engine::stop::{Stop, Stopper, stop};

use crate::database::{Database, know_this_run};
use crate::functions::{Problem, Resolve};
use crate::lookup::{Credentials, Existing};
use crate::protocol::{Diagnostic, Function, Plugin, Provider, Resource, Schema, Source, Value, log};
use crate::settings::{self, Judged, Settings};

/// What all parts share.
pub struct Shared {
    settings: RwLock<Settings>,
    judged: RwLock<Judged>,
    stopper: Stopper,
    stop: Stop,
    /// Which databases were meant since the last configuration, and for what: Terraform configures before each run over all blocks, and
    /// asks for each block once.
    meant: Mutex<BTreeSet<(For, String)>>,
    /// What was seen of databases that were read and are planned next, by their ids.
    seen: Mutex<BTreeMap<String, Seen>>,
    /// Whose account it is on each target, as far as it was asked since the last configuration.
    accounts: Mutex<BTreeMap<&'static str, String>>,
}

/// What was seen, when and of what.
struct Seen {
    at: Instant,
    desired: Vec<Wanted>,
    observed: Vec<Observed>,
}

/// For how long: Terraform plans right after it has read.
const FRESH: Duration = Duration::from_secs(10);
/// More than Terraform asks about side by side.
const MOST_SEEN: usize = 64;

/// What a database was asked about for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    /// To be read, because a state knows it.
    Look,
    /// To be planned: changed or ended.
    Plan,
    /// To be planned, and made.
    New,
    /// To be made.
    Create,
}

impl Shared {
    /// What is configured.
    pub fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// By what a configuration is judged.
    pub fn judged(&self) -> Judged {
        *self.judged.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a state knows this database.
    pub fn is_known(&self, id: &str) {
        self.meant.lock().unwrap_or_else(PoisonError::into_inner).insert((For::Look, id.to_owned()));
    }

    /// Whether a state knew it when it was read, or planned.
    pub fn knows(&self, id: &str) -> bool {
        let meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        [For::Look, For::Plan].iter().any(|why| meant.contains(&(*why, id.to_owned())))
    }

    /// Whether another block, or another address of the state, meant this database before.
    pub fn is_second(&self, why: For, id: &str) -> bool {
        !self.meant.lock().unwrap_or_else(PoisonError::into_inner).insert((why, id.to_owned()))
    }

    /// Keeps what was seen when this was looked for, for the plan that Terraform asks for next.
    pub fn has_seen(&self, id: &str, desired: Vec<Wanted>, observed: Vec<Observed>) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A refresh alone plans nothing.
        if all.len() >= MOST_SEEN {
            all.clear();
        }
        all.insert(id.to_owned(), Seen { at: Instant::now(), desired, observed });
    }

    /// What was seen a moment ago when the same was looked for. It is told once: whoever asks again wants to know what is new.
    pub fn just_seen(&self, id: &str, desired: &[Wanted]) -> Option<Vec<Observed>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(id)?;
        (seen.at.elapsed() < FRESH && seen.desired == desired).then_some(seen.observed)
    }

    /// The account on this target, if it was asked.
    pub fn account(&self, cloud: Cloud) -> Option<String> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(cloud.name()).cloned()
    }

    /// Notes which it is.
    pub fn is_account(&self, cloud: Cloud, account: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(cloud.name(), account.to_owned());
    }

    /// Hears when the run is to end.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

/// Everything that Terraform is offered.
pub fn plugin() -> Plugin {
    know_this_run();
    let (stopper, stop) = stop();
    let shared = Arc::new(Shared {
        settings: RwLock::default(),
        judged: RwLock::default(),
        stopper,
        stop,
        meant: Mutex::default(),
        seen: Mutex::default(),
        accounts: Mutex::default(),
    });
    let database: Box<dyn Resource> = Box::new(Database(Arc::clone(&shared)));
    let existing: Box<dyn Source> = Box::new(Existing(Arc::clone(&shared)));
    let credentials: Box<dyn Source> = Box::new(Credentials(Arc::clone(&shared)));
    // Terraform has functions run in a process that it hands no configuration.
    let target = Settings::of_environment().target;
    let functions: [(&str, Box<dyn Function>); 2] =
        [("resolve", Box::new(Resolve(target))), ("problem", Box::new(Problem::on(target)))];
    Plugin {
        provider: Box::new(Configured(shared)),
        resources: BTreeMap::from([("pgherd_postgres", database)]),
        data_sources: BTreeMap::from([("pgherd_postgres", existing)]),
        ephemerals: BTreeMap::from([("pgherd_credentials", credentials)]),
        functions: BTreeMap::from(functions),
    }
}

struct Configured(Arc<Shared>);

#[async_trait]
impl Provider for Configured {
    fn schema(&self) -> &Schema {
        &settings::SCHEMA
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        *self.0.judged.write().unwrap_or_else(PoisonError::into_inner) = Judged::of(config);
        match settings::read(config) {
            Ok(_) => settings::unseen(config, Settings::of_environment().target).into_iter().collect(),
            Err(said) => said,
        }
    }

    async fn configure(&self, terraform: &str, config: Value) -> Vec<Diagnostic> {
        let unknown = settings::unknown(&config);
        if !unknown.is_empty() {
            return unknown;
        }
        if let Err(words) = pgherd_targets::given_now() {
            return vec![Diagnostic::error(
                format!("{words}."),
                "Write 2026-11-21T22:00:00Z, or take it out of the environment.",
            )];
        }
        match settings::read(&config) {
            Ok(settings) => {
                log("INFO", &format!("pgherd {} for Terraform {terraform}", env!("CARGO_PKG_VERSION")));
                *self.0.judged.write().unwrap_or_else(PoisonError::into_inner) = Judged::By(settings.target);
                *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
                self.0.meant.lock().unwrap_or_else(PoisonError::into_inner).clear();
                self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
                self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner).clear();
                Vec::new()
            }
            Err(diagnostics) => diagnostics,
        }
    }

    fn stop(&self) {
        self.0.stopper.stop();
    }
}
