//! What a target must be able to do.

use std::time::Duration;

use async_trait::async_trait;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::event::{Event, What};
use pgherd_core::plan::{Change, Plan};
use pgherd_core::report::{Backups, Happened, LiveParameter, LogAsked, Report};
use pgherd_core::resource::{Id, Kind, Observed, Resource, Status};
use pgherd_core::secret::Secret;
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

pub use crate::operation::{Operation, Point};
use crate::settle::Patience;

/// One target: AWS, this machine, …
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which one.
    fn cloud(&self) -> Cloud;

    /// The region in which it looks; `None`: it has none.
    fn region(&self) -> Option<&str> {
        None
    }

    /// Whose it is, where two of them may each have a database of one name: the number of an account. `None`: there is only one.
    async fn account(&self) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    /// Its kinds of resource.
    fn kinds(&self) -> &'static [Kind];

    /// What should exist. Pure: no client is used, nothing is asked.
    fn desired(&self, spec: &Spec) -> Vec<Resource>;

    /// What nobody wrote of what should exist and everybody should see who makes it, `rds.force_ssl = 1`. Pure.
    fn derived(&self, _spec: &Spec) -> Vec<(Id, String)> {
        Vec::new()
    }

    /// What this target can and cannot promise for the spec, asked from the target where needed: warnings and errors. Sends
    /// no write, and asks nothing that matters only to what `intended` does not do.
    async fn preflight(&self, spec: &Spec, intended: &Intended<'_>) -> Result<Vec<Diagnostic>, ProviderError>;

    /// What does exist of `wanted`, and whatever else wears our tag for the same database (orphans).
    async fn observe(&self, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError>;

    /// Makes it, and returns when it is usable. Repeatable: finishes what a killed run began.
    async fn create(&self, resource: &Resource, now: ApplyNow, events: &Events) -> Result<(), ProviderError>;

    /// Changes it in place. Repeatable.
    async fn update(
        &self,
        resource: &Resource,
        changes: &[Change],
        now: ApplyNow,
        events: &Events,
    ) -> Result<(), ProviderError>;

    /// Removes it. Repeatable: what is already gone is success.
    async fn delete(&self, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError>;

    /// Does something that is no change of what should exist.
    async fn operate(&self, operation: &Operation, events: &Events) -> Result<(), ProviderError>;

    /// The outputs of variables.md section 4, from what exists. `null` where the target has no such thing.
    fn outputs(&self, spec: &Spec, observed: &[Observed]) -> Props;

    /// What a block would write to have what exists, by canonical variable, as far as that can be told from it. The rest is as its default.
    /// A target that reads nothing back refuses: an import would take defaults for what there is.
    fn inputs(&self, spec: &Spec, observed: &[Observed]) -> Result<Props, ProviderError>;

    /// Variables that change nothing here, with the reason. Nobody can read them off a database, either.
    fn ignores(&self) -> &'static [(&'static str, &'static str)];

    /// Where the spec's database is reached now: `connection_string` of its outputs. A target that knows it without asking the
    /// database does not ask.
    async fn address(&self, spec: &Spec) -> Result<Option<String>, ProviderError> {
        let observed = self.observe(&self.desired(spec)).await?;
        Ok(address_in(&self.outputs(spec, &observed)))
    }

    /// Whether the database exists and is ours: something that holds its data does.
    async fn exists(&self, spec: &Spec) -> Result<bool, ProviderError> {
        Ok(self.is_among(&self.observe(&self.desired(spec)).await?))
    }

    /// The same of what was observed a moment ago.
    fn is_among(&self, observed: &[Observed]) -> bool {
        let holds_data = |id: &Id| self.kinds().iter().any(|kind| kind.name == id.kind && kind.holds_data);
        let is_ours = |seen: &Observed| !matches!(seen.status, Status::Foreign(_));
        observed.iter().any(|seen| holds_data(&seen.id) && is_ours(seen))
    }

    /// Whether somebody plays the target on this machine.
    fn is_emulated(&self) -> bool {
        false
    }

    /// How patiently is waited for what is in the way of a plan and goes on by itself.
    fn until_free(&self) -> Patience {
        Patience {
            deadline: Duration::from_secs(30 * 60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(10),
        }
    }

    /// Refuses, before anybody is asked to confirm it, what the target has no way to do to any database.
    fn can(&self, _operation: &Operation) -> Result<(), ProviderError> {
        Ok(())
    }

    /// How it is. An error of the kind [`ErrorKind::NotFound`] when it does not exist, as of everything below.
    async fn report(&self, _spec: &Spec) -> Result<Report, ProviderError> {
        Err(unsupported(self.cloud(), "show the status of a database"))
    }

    /// Its backups, and the times it can be restored to.
    async fn backups(&self, _spec: &Spec) -> Result<Backups, ProviderError> {
        Err(unsupported(self.cloud(), "list the backups of a database"))
    }

    /// What happened to it, as far back as the target remembers, oldest first. Of one that is gone, too.
    async fn history(&self, _spec: &Spec) -> Result<Vec<Happened>, ProviderError> {
        Err(unsupported(self.cloud(), "tell what happened to a database"))
    }

    /// Its log, line by line, oldest first. Returns at the end of what there is or, when following, never.
    async fn log(
        &self,
        _spec: &Spec,
        _asked: &LogAsked,
        _on_line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ProviderError> {
        Err(unsupported(self.cloud(), "read the log of a database"))
    }

    /// Its PostgreSQL settings, those that nobody set included, by name.
    async fn parameters(&self, _spec: &Spec) -> Result<Vec<LiveParameter>, ProviderError> {
        Err(unsupported(self.cloud(), "show the settings of a database"))
    }

    /// The master password that is in force.
    async fn password(&self, _spec: &Spec) -> Result<Secret, ProviderError> {
        Err(unsupported(self.cloud(), "read the password of a database"))
    }
}

/// The address among outputs.
pub fn address_in(outputs: &Props) -> Option<String> {
    outputs.get("connection_string").and_then(Value::as_text).map(str::to_owned)
}

/// What is about to be done, for a target that has something to say beforehand.
#[derive(Debug, Clone, Copy)]
pub struct Intended<'a> {
    /// What it is for.
    pub goal: Goal,
    /// The steps it takes: none when there is nothing to do.
    pub plan: &'a Plan,
    /// What should exist, whatever the goal.
    pub desired: &'a [Resource],
    /// What does.
    pub observed: &'a [Observed],
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// That the database is as the block says.
    Apply {
        /// Whether what interrupts service shall happen during apply, rather than in the window.
        now: bool,
    },
    /// That nothing of it remains.
    Destroy,
}

/// Whether changes that interrupt service happen during apply (`true`) or wait for the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyNow(pub bool);

/// How data-bearing resources are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Name of the last backup; `None` skips it.
    pub final_backup: Option<String>,
}

/// Where a run's events go. Never fails: a reader that left is no reason to stop.
#[derive(Debug, Clone)]
pub struct Events {
    block: String,
    id: Option<Id>,
    sender: UnboundedSender<Event>,
    clock: fn() -> jiff::Timestamp,
}

impl Events {
    /// Events of a block.
    pub fn new(block: impl Into<String>, sender: UnboundedSender<Event>) -> Self {
        Self { block: block.into(), id: None, sender, clock: jiff::Timestamp::now }
    }

    /// The same, about one resource.
    #[must_use]
    pub fn about(&self, id: &Id) -> Self {
        Self { id: Some(id.clone()), ..self.clone() }
    }

    /// Emits one.
    pub fn emit(&self, what: What) {
        let event = Event { at: (self.clock)(), block: self.block.clone(), id: self.id.clone(), what };
        // A closed channel means that nobody listens any more; the run goes on.
        drop(self.sender.send(event));
    }

    /// Emits a new phase.
    pub fn phase(&self, phase: impl Into<String>) {
        self.emit(What::Phase { phase: phase.into() });
    }
}

/// The world refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What sort of refusal.
    pub kind: ErrorKind,
    /// What the target said, with its request id where it has one; no secrets.
    pub message: String,
    /// What the user can do, or empty.
    pub help: String,
}

impl ProviderError {
    /// A refusal.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: String::new() }
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// What a target has no way to do, as far as this version of pgherd knows it.
pub fn unsupported(cloud: Cloud, what: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Unsupported, format!("this version of pgherd cannot {what} on {cloud}"))
}

/// Sorts of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Asked too often.
    Throttled,
    /// Not there, or not answering.
    Unavailable,
    /// Not allowed.
    Denied,
    /// No such thing.
    NotFound,
    /// Busy with something else, or changed meanwhile.
    Conflict,
    /// The request makes no sense to the target.
    Invalid,
    /// Refused for safety (protection).
    Protected,
    /// It took longer than the deadline; it may still go on.
    TimedOut,
    /// The run was asked to stop.
    Interrupted,
    /// The target has no such thing, or this version of pgherd does not reach it.
    Unsupported,
}

impl ErrorKind {
    /// Whether trying again may help.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::Denied
            | Self::NotFound
            | Self::Conflict
            | Self::Invalid
            | Self::Protected
            | Self::TimedOut
            | Self::Interrupted
            | Self::Unsupported => false,
        }
    }
}
