//! The provider itself, and what all its parts share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use pgherd_engine::stop::{Stop, Stopper, stop};

use crate::database::Database;
use crate::functions::{Problem, Resolve};
use crate::lookup::{Credentials, Existing};
use crate::protocol::{Diagnostic, Function, Plugin, Provider, Resource, Schema, Source, Value, log};
use crate::settings::{self, Settings};

/// What all parts share.
pub struct Shared {
    settings: RwLock<Settings>,
    stopper: Stopper,
    stop: Stop,
    /// What was made, or begun, since this process runs.
    made: Mutex<BTreeSet<String>>,
}

impl Shared {
    /// What is configured.
    pub fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a database of this identity was asked for before, to be made. Terraform asks once for each block.
    pub fn is_second(&self, id: &str) -> bool {
        !self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned())
    }

    /// Hears when the run is to end.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

/// Everything that Terraform is offered.
pub fn plugin() -> Plugin {
    let (stopper, stop) = stop();
    let shared = Arc::new(Shared { settings: RwLock::default(), stopper, stop, made: Mutex::default() });
    let database: Box<dyn Resource> = Box::new(Database(Arc::clone(&shared)));
    let existing: Box<dyn Source> = Box::new(Existing(Arc::clone(&shared)));
    let credentials: Box<dyn Source> = Box::new(Credentials(Arc::clone(&shared)));
    let functions: [(&str, Box<dyn Function>); 2] = [("resolve", Box::new(Resolve)), ("problem", Box::new(Problem))];
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
    fn schema(&self) -> Schema {
        settings::schema()
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        settings::read(config).err().unwrap_or_default()
    }

    async fn configure(&self, terraform: &str, config: Value) -> Vec<Diagnostic> {
        let unknown = settings::unknown(&config);
        if !unknown.is_empty() {
            return unknown;
        }
        match settings::read(&config) {
            Ok(settings) => {
                log("INFO", &format!("pgherd {} for Terraform {terraform}", env!("CARGO_PKG_VERSION")));
                *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
                Vec::new()
            }
            Err(diagnostics) => diagnostics,
        }
    }

    fn stop(&self) {
        self.0.stopper.stop();
    }
}
