//! What a provider is made of: a configuration, resources, data sources, ephemeral resources and functions, each by its name.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::diagnostic::Diagnostic;
use super::schema::{Schema, Signature};
use super::value::Value;

/// Everything a provider offers.
pub struct Plugin {
    /// The provider itself.
    pub provider: Box<dyn Provider>,
    /// Its resources by type.
    pub resources: BTreeMap<&'static str, Box<dyn Resource>>,
    /// Its data sources by type.
    pub data_sources: Sources,
    /// Its ephemeral resources by type.
    pub ephemerals: Sources,
    /// Its functions by name.
    pub functions: BTreeMap<&'static str, Box<dyn Function>>,
}

/// What is only looked up, by type.
pub type Sources = BTreeMap<&'static str, Box<dyn Source>>;

/// The provider itself: what is configured for all its resources.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What may be configured.
    fn schema(&self) -> &Schema;

    /// What is wrong with a configuration, of which parts may not be known.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Takes it. `terraform` is the version that asks.
    async fn configure(&self, terraform: &str, config: Value) -> Vec<Diagnostic>;

    /// Somebody wants the run to end: what is being done is brought to a good place, and nothing more is begun.
    fn stop(&self);
}

/// A kind of thing that is made, changed and removed.
#[async_trait]
pub trait Resource: Send + Sync {
    /// What may be configured, and what is told.
    fn schema(&self) -> &Schema;

    /// What is wrong with a configuration, of which parts may not be known.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// How it is. A state that is null says that there is no such thing any more.
    async fn read(&self, state: Kept) -> Answer;

    /// What would be done.
    async fn plan(&self, asked: Plan) -> Answer;

    /// Does it.
    async fn apply(&self, asked: Apply) -> Answer;

    /// The state of something that exists, by the name that somebody typed.
    async fn import(&self, id: &str) -> Answer;
}

/// What is only looked up: a data source, or an ephemeral resource, which no plan and no state keeps.
#[async_trait]
pub trait Source: Send + Sync {
    /// What may be configured, and what is told.
    fn schema(&self) -> &Schema;

    /// What is wrong with a configuration, of which parts may not be known.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Looks it up.
    async fn read(&self, config: Value) -> (Value, Vec<Diagnostic>);
}

/// A function. Pure: the same arguments give the same.
pub trait Function: Send + Sync {
    /// Its parameters and what it gives.
    fn signature(&self) -> Signature;

    /// What it gives, or why it cannot.
    fn call(&self, arguments: &[Value]) -> Result<Value, String>;
}

/// A state with what else is kept beside it, which nobody sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The state; null: there is none.
    pub state: Value,
    /// What is beside it.
    pub private: Vec<u8>,
}

/// What is to be planned.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How it is; null: it is to be made.
    pub prior: Value,
    /// What Terraform makes of both; null: it is to be removed.
    pub proposed: Value,
    /// What is written, write-only values included.
    pub config: Value,
    /// What is kept beside the state.
    pub private: Vec<u8>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Apply {
    /// How it is; null: it is to be made.
    pub prior: Value,
    /// What was promised; null: it is to be removed.
    pub planned: Value,
    /// What is written, write-only values included.
    pub config: Value,
    /// What was kept beside the plan.
    pub private: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The state, or the planned one.
    pub kept: Kept,
    /// What is to be said.
    pub diagnostics: Vec<Diagnostic>,
}

impl Answer {
    /// A state, with nothing to be said.
    pub fn of(state: Value, private: Vec<u8>) -> Self {
        Self { kept: Kept { state, private }, diagnostics: Vec::new() }
    }

    /// What is wrong, beside the state as it was.
    pub fn refused(state: Value, private: Vec<u8>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { kept: Kept { state, private }, diagnostics }
    }
}
