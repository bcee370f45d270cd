//! What every target has to keep, run against one that a test can look into and disturb: the same promises for every cloud.
//!
//! A target's crate gives a [`World`] and blocks, and calls these from its tests. Each panics where a promise is not kept. Nothing
//! here waits for the clock: a world's time goes by with what is asked of it.

mod cut;
mod drift;
mod whole;

use std::future::Future;

use jiff::Timestamp;
use pgherd_core::lint::Intent;
use pgherd_core::plan::{Change, When};
use pgherd_core::resource::Id;
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use tokio::sync::mpsc;

pub use self::cut::{
    answers_lost, answers_of_a_destroy_lost, destroy_killed_and_wanted_again, destroy_killed_anywhere, killed_anywhere,
    throttled,
};
pub use self::drift::{drift_is_found, drift_is_found_of, left_out_of_drift};
pub use self::whole::{changes_of_kinds, destroyed, flipped, kept};
use crate::free;
use crate::provider::{Events, Provider};
use crate::run::{self, Planned};
use crate::stop::Stop;
use crate::walk::Outcome;

/// A target that a test can look into and disturb.
pub trait World: Sized {
    /// Whether what is begun there goes on by itself for a while; where all is over at once, nobody can meet it on its way.
    const TAKES_TIME: bool = true;
    /// Whether a deletion does, too.
    const DELETION_TAKES_TIME: bool = Self::TAKES_TIME;

    /// A new one, with nothing in it.
    fn new() -> impl Future<Output = Self>;
    /// Another one that is as this one is, in which nothing was asked yet; `None`: it has to be made so again.
    fn like(&self) -> impl Future<Output = Option<Self>> {
        std::future::ready(None)
    }
    /// A new client of it, as a new command has one.
    fn provider(&self) -> Box<dyn Provider>;
    /// What the arguments of a block mean there.
    fn spec(arguments: &str) -> Spec;
    /// Its time.
    fn now(&self) -> Timestamp;
    /// Lets time go by until nothing is going on by itself.
    fn rest(&self);
    /// Lets little time go by with each call from here on, so that whoever comes next meets what is on its way.
    fn slowly(&self);
    /// Whether something is being made, changed or deleted there, by itself.
    fn is_at_work(&self) -> bool;
    /// How many calls came since [`World::forget_calls`].
    fn calls(&self) -> usize;
    /// Those of them that could change something, in words.
    fn writes(&self) -> Vec<String>;
    /// Begins to count anew.
    fn forget_calls(&self);
    /// Disturbs a call; the next one is the first.
    fn disturb(&self, nth: usize, fault: Fault);
    /// Disturbs no call any more.
    fn calm(&self);
    /// Whether a call was disturbed.
    fn was_disturbed(&self) -> bool;
    /// Returns once a call was disturbed by [`Fault::Hang`].
    fn hung(&self) -> impl Future<Output = ()>;
    /// Everything there is that costs money or keeps data, by name, in order.
    fn things(&self) -> Vec<String>;
    /// Everything that was made since [`World::forget_calls`], once for each time it was made, in order.
    fn made(&self) -> Vec<String>;
    /// Changes a field as somebody else would, who knows nothing of us. `false`: this world has no hand for that.
    fn tamper(&self, id: &Id, field: &str, seen: &Value) -> bool;
}

/// How a call is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and never answered: whoever asked is killed.
    Hang,
    /// It is done, and its answer is lost.
    Lost,
    /// It and all after it are refused, because there are too many of them, until [`World::calm`].
    Throttled,
}

/// Looks and plans, as whoever is about to carry it out.
async fn planned<W: World>(world: &W, block: &str) -> Planned {
    let (provider, spec) = (world.provider(), W::spec(block));
    let plan = async || {
        let timing = run::timing(&spec, world.now());
        run::observe_and_plan(provider.as_ref(), &spec, &timing, Intent::default()).await
    };
    let waited = async { free::once_free(plan().await?, &provider.until_free(), |_| {}, plan).await };
    waited.await.expect("nothing is in the way of looking")
}

/// Carries out what was planned.
async fn carried_out<W: World>(world: &W, block: &str, planned: &Planned) -> Outcome {
    assert!(!planned.plan.is_refused(), "{:?}", planned.plan.diagnostics);
    let (sender, _heard) = mpsc::unbounded_channel();
    let events = Events::new(&planned.plan.block, sender);
    let (provider, spec) = (world.provider(), W::spec(block));
    run::apply(provider.as_ref(), &spec, planned, world.now(), &events, &Stop::never()).await
}

/// Plans and applies, and everything goes well.
async fn applied<W: World>(world: &W, block: &str) -> Planned {
    let planned = planned(world, block).await;
    let outcome = carried_out(world, block, &planned).await;
    assert!(outcome.is_success(), "{outcome:?}");
    planned
}

/// What a plan does, a line each: `update instance orders: Port 5432 -> 5433`.
pub fn changes(planned: &Planned) -> Vec<String> {
    let steps = planned.plan.steps.iter().flat_map(|step| {
        let (verb, id) = (step.action.verb(), &step.id);
        match step.action.changes() {
            [] => vec![format!("{verb} {id}")],
            changes => changes.iter().map(|change| format!("{verb} {id}: {}", shown(change))).collect(),
        }
    });
    steps.collect()
}

fn shown(change: &Change) -> String {
    let when = match change.when {
        When::Now => "",
        When::Window { .. } => " in the window",
        When::Restart => " at a restart",
    };
    format!("{} {} -> {}{when}", change.field, change.from, change.to)
}
