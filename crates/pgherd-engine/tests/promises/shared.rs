//! Running the engine against the target, killed now and then.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgherd_core::event::Event;
use pgherd_core::plan::{self, Plan, Timing, text};
use pgherd_core::resource::{Kind, Resource, Status};
use pgherd_core::window::Window;
use pgherd_engine::provider::{Events, Provider as _, ProviderError};
use pgherd_engine::stop::Stop;
use pgherd_engine::walk::{Options, walk};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::provider::Client;
use crate::target::Target;

/// How often a run is repeated before the test says that it does not converge.
const RUNS: usize = 12;

/// A new, empty target.
pub fn target(kinds: &'static [Kind]) -> Arc<Target> {
    Arc::new(Target::new(kinds))
}

pub fn client(target: &Arc<Target>, wants: &[Resource]) -> Client {
    Client { target: Arc::clone(target), wants: wants.to_vec(), says: Vec::new(), looks: Mutex::default() }
}

/// Saturday evening; the window opens on Sunday at four.
pub fn saturday() -> Timing {
    Timing {
        now: "2026-11-21T22:00:00Z".parse().expect("a time"),
        window: Window::parse_weekly("sun:04:00-sun:05:00").expect("a window"),
        apply_now: false,
    }
}

pub fn events() -> (Events, UnboundedReceiver<Event>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Events::new("database_dev", sender), receiver)
}

pub async fn planned(client: &Client, timing: &Timing) -> Result<Plan, ProviderError> {
    let observed = client.observe(&client.wants).await?;
    Ok(plan::plan(client.kinds(), "database_dev", &client.wants, &observed, timing))
}

/// One run of the process: look, plan, carry out. Says what happened, unless there was nothing to do and nothing going on.
pub async fn run(client: &Client, timing: &Timing) -> Result<(), String> {
    tokio::select! {
        biased;
        () = client.target.killed.notified() => Err("killed".to_owned()),
        ended = run_to_the_end(client, timing) => ended,
    }
}

async fn run_to_the_end(client: &Client, timing: &Timing) -> Result<(), String> {
    let plan = planned(client, timing).await.map_err(|error| error.to_string())?;
    if plan.is_refused() {
        return Err(printed(&plan));
    }
    if plan.steps.is_empty() && plan.diagnostics.is_empty() {
        return Ok(());
    }
    let outcome = walk(client, &plan, &Options::default(), &events().0, &Stop::never()).await;
    Err(format!("{}\n{outcome:?}", printed(&plan)))
}

fn printed(plan: &Plan) -> String {
    let lines = text::lines(plan, true).into_iter().map(|line| line.text);
    let told = plan.diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.code, diagnostic.message));
    lines.chain(told).collect::<Vec<_>>().join("\n")
}

/// Runs again and again, a minute apart, as a patient user would.
#[track_caller]
pub fn converge(client: &Client, timing: &Timing) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let mut last = String::new();
        for _ in 0..RUNS {
            match run(client, timing).await {
                Ok(()) => return,
                Err(ended) => last = ended,
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        panic!("{caller}: not converged after {RUNS} runs; the last one: {last}")
    }
}

/// Runs a test in time that passes by itself.
pub fn in_paused_time(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing")
        .block_on(test);
}

/// Whether anything is still going on at the target.
pub async fn is_quiet(client: &Client) -> bool {
    let observed = client.observe(&client.wants).await.expect("no fault is planned");
    observed.iter().all(|seen| seen.status == Status::Available)
}
