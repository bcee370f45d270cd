//! Waits until something is ready or stuck, with a deadline.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::provider::{ErrorKind, Events, ProviderError};
use crate::stop::Stop;

/// How long to wait, and how often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long in all.
    pub deadline: Duration,
    /// Between the first look and the second. Each further pause is half as long again.
    pub first_pause: Duration,
    /// No pause is longer, unless the target asks for it.
    pub longest_pause: Duration,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// It is ready.
    Ready(T),
    /// It is not.
    Wait {
        /// What it is doing, in words: emitted when it changes.
        phase: String,
        /// How long the target asks to be left alone (`Retry-After`).
        retry_after: Option<Duration>,
    },
}

/// Looks until it is ready, stuck (the look fails for good), out of time, or asked to stop.
///
/// A look that fails in a way that may pass (throttled, unavailable) is a reason to look again.
pub async fn settle<T, F>(
    patience: &Patience,
    events: &Events,
    stop: &Stop,
    mut look: impl FnMut() -> F,
) -> Result<T, ProviderError>
where
    F: Future<Output = Result<Look<T>, ProviderError>>,
{
    let deadline = Instant::now() + patience.deadline;
    let mut pause = patience.first_pause;
    let mut phase = String::new();
    loop {
        let (doing, retry_after) = match timeout_at(deadline, look()).await {
            Ok(Ok(Look::Ready(ready))) => return Ok(ready),
            Ok(Ok(Look::Wait { phase, retry_after })) => (phase, retry_after),
            Ok(Err(error)) if error.kind.is_transient() => (error.message, None),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(out_of_time(patience, &phase)),
        };
        if doing != phase {
            events.phase(&doing);
            phase = doing;
        }
        let wait = retry_after.unwrap_or(pause);
        pause = (pause * 3 / 2).min(patience.longest_pause);
        if Instant::now() + wait >= deadline {
            return Err(out_of_time(patience, &phase));
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.asked() => return Err(ProviderError::new(ErrorKind::Interrupted, "the run was stopped")),
        }
    }
}

fn out_of_time(patience: &Patience, phase: &str) -> ProviderError {
    let while_doing = if phase.is_empty() { String::new() } else { format!("; last seen: {phase}") };
    ProviderError::new(ErrorKind::TimedOut, format!("not ready after {} s{while_doing}", patience.deadline.as_secs()))
}
