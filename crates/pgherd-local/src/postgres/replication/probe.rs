//! The write probe: whether a primary still takes writes, asked three times a second in a session of its own.
//!
//! A crash is told by the kernel; this is for a server that lives and does nothing.

use std::time::Duration;

use pgherd_core::ha;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::Place;
use crate::postgres::session::Session;

/// From an answer to the next probe. A server that hangs right after an answer is noticed by as much later.
const EVERY: Duration = Duration::from_millis(300);
/// From a refusal to the next try: a server that recovers is noticed soon.
const RETRY: Duration = Duration::from_millis(100);
/// How finely waiting is measured.
const STEP: Duration = Duration::from_millis(100);
/// How long a connection may take before it is begun anew; it counts as waiting all the while.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Commits must not wait for a standby, and no setting of the user's may get in the way.
const SETTINGS: &str = "SET synchronous_commit = local; SET default_transaction_read_only = off; \
                        SET statement_timeout = 0; SET idle_session_timeout = 0";
/// The least that is written, flushed and committed. It is not bound to `wal_level`, and needs no table.
pub(super) const WRITE: &str = "SELECT pg_logical_emit_message(true, 'pgherd', '')";
/// What [`WRITE`] is called in the log.
pub(super) const PREFIX: &str = "pgherd";

/// A primary that is being probed. Ends when dropped.
#[derive(Debug)]
pub struct Prober {
    state: watch::Receiver<ha::Probe>,
    task: JoinHandle<()>,
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Prober {
    /// Begins to probe the server of a node, whether it runs yet or not. Needs a tokio runtime.
    pub fn start(place: &Place) -> Self {
        let (told, state) = watch::channel(ha::Probe::Unknown);
        let place = place.clone();
        let task = tokio::spawn(async move { Probing::new(place, told).go_on().await });
        Self { state, task }
    }

    /// How it stands now.
    pub fn now(&self) -> ha::Probe {
        *self.state.borrow()
    }

    /// Returns when no probe has been answered for at least `deadline`, at once where that is so already.
    pub async fn overdue(&mut self, deadline: Duration) {
        let limit_ms = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
        let overdue = |probe: &ha::Probe| match probe {
            ha::Probe::Unknown | ha::Probe::Answered => false,
            ha::Probe::Refused { for_ms } | ha::Probe::Waiting { for_ms } => *for_ms >= limit_ms,
        };
        if self.state.wait_for(overdue).await.is_err() {
            // It has ended, which only happens at its own drop.
            std::future::pending::<()>().await;
        }
    }
}

struct Probing {
    place: Place,
    told: watch::Sender<ha::Probe>,
    session: Option<Session>,
    /// Since the last answer.
    silence: Waited,
    /// Since the oldest probe was sent that is neither answered nor refused.
    waiting: Waited,
}

/// What became of one probe.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Refused,
    /// It was given up, and the next one waits on in its place.
    Lost,
}

impl Probing {
    fn new(place: Place, told: watch::Sender<ha::Probe>) -> Self {
        Self { place, told, session: None, silence: Waited::default(), waiting: Waited::default() }
    }

    async fn go_on(mut self) {
        loop {
            let outcome = self.probe().await;
            if outcome != Outcome::Lost {
                self.waiting = Waited::default();
            }
            match outcome {
                Outcome::Answered => {
                    self.silence = Waited::default();
                    self.told.send_replace(ha::Probe::Answered);
                    tokio::time::sleep(EVERY).await;
                }
                Outcome::Refused => {
                    self.silence.step();
                    self.told.send_replace(ha::Probe::Refused { for_ms: self.silence.ms });
                    tokio::time::sleep(RETRY).await;
                }
                Outcome::Lost => {}
            }
        }
    }

    /// Sends one probe, and tells how long it waits until something becomes of it.
    async fn probe(&mut self) -> Outcome {
        let kept = self.session.take();
        let write = write(&self.place, kept);
        tokio::pin!(write);
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once.
        steps.tick().await;
        self.silence.step();
        self.waiting.step();
        loop {
            tokio::select! {
                // An answer that is there wins over a clock that ran on.
                biased;
                (outcome, session) = &mut write => {
                    self.session = session;
                    return outcome;
                }
                _ = steps.tick() => {
                    self.silence.step();
                    self.waiting.step();
                    self.told.send_replace(ha::Probe::Waiting { for_ms: self.waiting.ms });
                }
            }
        }
    }
}

/// One probe, in the session before where that is still good.
async fn write(place: &Place, kept: Option<Session>) -> (Outcome, Option<Session>) {
    if let Some(session) = kept
        && let Some(outcome) = write_in(&session).await
    {
        return (outcome, Some(session));
    }
    let connect = async {
        let session = Session::connect(&place.layout.socket, place.port, "postgres", CONNECT_DEADLINE).await?;
        session.run(SETTINGS).await?;
        Ok(session)
    };
    match connect.await {
        Ok(session) => (write_in(&session).await.unwrap_or(Outcome::Refused), Some(session)),
        Err(ProviderError { kind: ErrorKind::TimedOut, .. }) => (Outcome::Lost, None),
        Err(_) => (Outcome::Refused, None),
    }
}

/// `None`: the connection is gone. A server that answers with an error answers, unless it is shutting down or starting.
async fn write_in(session: &Session) -> Option<Outcome> {
    match session.client().query_one(WRITE, &[]).await {
        Ok(_) => Some(Outcome::Answered),
        Err(error) => error.code().map(|code| match code.code().starts_with("57P") {
            true => Outcome::Refused,
            false => Outcome::Answered,
        }),
    }
}

/// Time that went by while this process ran. A daemon that was itself frozen, or a machine that slept, is no server that hangs.
#[derive(Debug)]
struct Waited {
    ms: u32,
    last: Instant,
}

impl Default for Waited {
    fn default() -> Self {
        Self { ms: 0, last: Instant::now() }
    }
}

impl Waited {
    fn step(&mut self) {
        let now = Instant::now();
        let step = now.duration_since(self.last).min(2 * STEP);
        self.ms = self.ms.saturating_add(u32::try_from(step.as_millis()).unwrap_or(0));
        self.last = now;
    }
}
