//! Carries out a plan: independent steps side by side, a failed step skips only what needs it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use pgherd_core::event::What;
use pgherd_core::plan::{Action, Plan, Step, When};
use pgherd_core::resource::Id;
use tokio::time::Instant;

use crate::provider::{ApplyNow, Deletion, Events, Provider, ProviderError};
use crate::stop::Stop;

/// How a plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many steps run side by side, at least 1.
    pub side_by_side: usize,
    /// How what holds data is deleted.
    pub deletion: Deletion,
}

impl Default for Options {
    fn default() -> Self {
        Self { side_by_side: 8, deletion: Deletion { final_backup: None } }
    }
}

/// What became of each step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Done, in the order of their ends.
    pub done: Vec<Id>,
    /// Tried and refused, in the order of their ends.
    pub failed: Vec<(Id, ProviderError)>,
    /// Not tried, and why, in the order of the plan.
    pub skipped: Vec<(Id, String)>,
    /// Whether a stop was asked for while there was more to do.
    pub stopped: bool,
    /// How many changes were accepted and wait for the maintenance window or a restart.
    pub waiting: usize,
}

impl Outcome {
    /// Whether every step was done.
    pub fn is_success(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }
}

/// Carries out a plan. An empty plan calls nothing.
///
/// # Panics
/// When the plan has errors: those are for the caller to refuse.
pub async fn walk(provider: &dyn Provider, plan: &Plan, options: &Options, events: &Events, stop: &Stop) -> Outcome {
    assert!(!plan.is_refused(), "a plan with errors is refused, not walked");
    let mut walk = Walk { waiting: plan.steps.iter().collect(), outcome: Outcome::default() };
    let mut running = FuturesUnordered::new();
    loop {
        if !stop.is_asked() {
            for step in walk.startable(options.side_by_side.max(1).saturating_sub(running.len())) {
                running.push(carry_out(provider, step, options, events));
            }
        }
        let Some((step, result)) = running.next().await else { break };
        walk.ended(step, result, events);
    }
    walk.stop(events);
    walk.outcome
}

struct Walk<'a> {
    /// Not begun, in the order of the plan.
    waiting: Vec<&'a Step>,
    outcome: Outcome,
}

impl<'a> Walk<'a> {
    /// Takes up to `room` steps whose needs are all done.
    fn startable(&mut self, room: usize) -> Vec<&'a Step> {
        let done: BTreeSet<&Id> = self.outcome.done.iter().collect();
        let ready = |step: &Step| step.needs.iter().all(|need| done.contains(need));
        let mut taken = Vec::new();
        self.waiting.retain(|step| {
            let take = taken.len() < room && ready(step);
            if take {
                taken.push(*step);
            }
            !take
        });
        taken
    }

    fn ended(&mut self, step: &Step, result: Result<(), ProviderError>, events: &Events) {
        match result {
            Ok(()) => {
                self.outcome.waiting += step.action.changes().iter().filter(|change| change.when != When::Now).count();
                self.outcome.done.push(step.id.clone());
            }
            Err(error) => {
                self.skip_what_needs(&step.id, events);
                self.outcome.failed.push((step.id.clone(), error));
            }
        }
    }

    /// Gives up every step that needs this one, directly or through others.
    fn skip_what_needs(&mut self, failed: &Id, events: &Events) {
        let mut lost = BTreeMap::from([(failed.clone(), failed.clone())]);
        // The order of the plan puts every step behind what it needs, so one pass finds them all.
        self.waiting.retain(|step| {
            let Some(need) = step.needs.iter().find(|need| lost.contains_key(need)) else { return true };
            let because = format!("it needs {need}, which was not done");
            lost.insert(step.id.clone(), need.clone());
            events.about(&step.id).emit(What::Skipped { because: because.clone() });
            self.outcome.skipped.push((step.id.clone(), because));
            false
        });
    }

    /// Nothing runs and nothing can start: what still waits was stopped.
    fn stop(&mut self, events: &Events) {
        for step in std::mem::take(&mut self.waiting) {
            self.outcome.stopped = true;
            let because = "the run was stopped".to_owned();
            events.about(&step.id).emit(What::Skipped { because: because.clone() });
            self.outcome.skipped.push((step.id.clone(), because));
        }
    }
}

async fn carry_out<'a>(
    provider: &dyn Provider,
    step: &'a Step,
    options: &Options,
    events: &Events,
) -> (&'a Step, Result<(), ProviderError>) {
    let events = events.about(&step.id);
    let began = Instant::now();
    events.emit(What::Started { action: step.action.verb().to_owned(), expected_ms: None });
    let result = match &step.action {
        Action::Create { resource } => provider.create(resource, ApplyNow(true), &events).await,
        Action::Update { resource, changes } => provider.update(resource, changes, apply_now(step), &events).await,
        Action::Delete { .. } => provider.delete(&step.id, &options.deletion, &events).await,
    };
    events.emit(match &result {
        Ok(()) => What::Finished { took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) },
        Err(error) => What::Failed { message: error.message.clone() },
    });
    (step, result)
}

/// Whether the plan says that this step interrupts service during apply. Only then may the target do so: a change that
/// nobody notices must not set off a restart that waits for the window.
fn apply_now(step: &Step) -> ApplyNow {
    ApplyNow(step.action.changes().iter().any(|change| change.impact.interrupts() && change.when == When::Now))
}
