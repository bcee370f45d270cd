//! Waits until something is ready or stuck, with a deadline.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::provider::{ErrorKind, Events, ProviderError};
use crate::stop::{self, Stop};

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
            () = stop.asked() => return Err(stop::interrupted()),
        }
    }
}

fn out_of_time(patience: &Patience, phase: &str) -> ProviderError {
    let while_doing = if phase.is_empty() { String::new() } else { format!("; last seen: {phase}") };
    ProviderError::new(ErrorKind::TimedOut, format!("not ready after {} s{while_doing}", patience.deadline.as_secs()))
}

#[cfg(test)]
mod tests {
    use pgherd_core::event::{Event, What};
    use tokio::sync::mpsc::{self, UnboundedReceiver};

    use super::*;

    const PATIENCE: Patience = Patience {
        deadline: Duration::from_secs(60),
        first_pause: Duration::from_secs(4),
        longest_pause: Duration::from_secs(10),
    };

    fn wait(phase: &str) -> Result<Look<()>, ProviderError> {
        Ok(Look::Wait { phase: phase.to_owned(), retry_after: None })
    }

    fn fails(kind: ErrorKind) -> Result<Look<()>, ProviderError> {
        Err(ProviderError::new(kind, "the target said no"))
    }

    /// Settles with these answers, one for each look and the last one for ever. Says how it ended and when each look was.
    async fn run(answers: &[Result<Look<()>, ProviderError>]) -> (Result<(), ProviderError>, Vec<u64>, Vec<String>) {
        let (events, heard) = events();
        let began = Instant::now();
        let mut looks = Vec::new();
        let ended = settle(&PATIENCE, &events, &Stop::never(), || {
            let answer = answers[looks.len().min(answers.len() - 1)].clone();
            looks.push(began.elapsed().as_secs());
            async { answer }
        })
        .await;
        (ended, looks, phases(heard))
    }

    fn events() -> (Events, UnboundedReceiver<Event>) {
        let (sender, heard) = mpsc::unbounded_channel();
        (Events::new("dev", sender), heard)
    }

    fn phases(mut heard: UnboundedReceiver<Event>) -> Vec<String> {
        std::iter::from_fn(|| heard.try_recv().ok())
            .filter_map(|event| if let What::Phase { phase } = event.what { Some(phase) } else { None })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_is_looked_at_once() {
        assert_eq!(run(&[Ok(Look::Ready(()))]).await, (Ok(()), vec![0], vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_the_longest_and_each_phase_is_told_once() {
        let answers = [
            wait("copying"),
            wait("copying"),
            wait("starting"),
            wait("starting"),
            wait("starting"),
            Ok(Look::Ready(())),
        ];
        let (ended, looks, phases) = run(&answers).await;
        assert_eq!(ended, Ok(()));
        assert_eq!(looks, [0, 4, 10, 19, 29, 39]);
        assert_eq!(phases, ["copying", "starting"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_target_may_ask_for_a_longer_pause() {
        let busy = Ok(Look::Wait { phase: "busy".to_owned(), retry_after: Some(Duration::from_secs(30)) });
        assert_eq!(run(&[busy, Ok(Look::Ready(()))]).await.1, [0, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_looked_at_again_and_what_may_not_ends_it() {
        let (ended, looks, _) =
            run(&[fails(ErrorKind::Throttled), fails(ErrorKind::Unavailable), fails(ErrorKind::Denied)]).await;
        assert_eq!(ended.expect_err("denied").kind, ErrorKind::Denied);
        assert_eq!(looks.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_it_and_says_what_was_seen_last() {
        let began = Instant::now();
        let error = run(&[wait("starting")]).await.0.expect_err("never ready");
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::TimedOut, "not ready after 60 s; last seen: starting")
        );
        assert!(began.elapsed() <= PATIENCE.deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_ends_at_the_deadline() {
        let began = Instant::now();
        let look = std::future::pending::<Result<Look<()>, ProviderError>>;
        let error = settle(&PATIENCE, &events().0, &Stop::never(), look).await.expect_err("hangs");
        assert_eq!((error.kind, began.elapsed()), (ErrorKind::TimedOut, PATIENCE.deadline));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_pause() {
        let (stopper, stop) = stop::stop();
        let began = Instant::now();
        let look = || async {
            stopper.stop();
            wait("starting")
        };
        let error = settle(&PATIENCE, &events().0, &stop, look).await.expect_err("stopped");
        assert_eq!((error.kind, began.elapsed()), (ErrorKind::Interrupted, Duration::ZERO));
    }
}
