//! Waits for what is in the way of a plan and goes on by itself: what a run that was cut short began, a backup, a change of somebody else's.

use std::future::Future;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::provider::ProviderError;
use crate::run::Planned;
use crate::settle::Patience;

/// Plans again as long as all that stops the plan goes on by itself. What is waited for is told once, and looked at less and less often.
/// When patience ends, the plan still says what is in the way. That a look fails in a way that may pass ends no wait, and is told.
pub async fn once_free<F>(
    mut planned: Planned,
    patience: &Patience,
    tell: impl Fn(&str),
    mut again: impl FnMut() -> F,
) -> Result<Planned, ProviderError>
where
    F: Future<Output = Result<Planned, ProviderError>>,
{
    let deadline = Instant::now() + patience.deadline;
    let (mut pause, mut told, mut is_failing) = (patience.first_pause, String::new(), false);
    while let Some(words) = planned.plan.waits_for() {
        if words != told {
            tell(&words);
            told = words;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        // The last look is at the end.
        sleep(pause.min(left)).await;
        pause = (pause * 3 / 2).min(patience.longest_pause);
        match timeout_at(deadline.max(Instant::now() + patience.first_pause), again()).await {
            Ok(Ok(seen)) => (planned, is_failing) = (seen, false),
            Ok(Err(error)) if error.kind.is_transient() => {
                if !is_failing {
                    tell(&error.message);
                }
                is_failing = true;
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(planned)
}

/// The same for several databases: the busy ones are waited for, and then all are planned again, since nothing that is seen meanwhile stays
/// so. Where something else is in the way of any of them, waiting is of no use, and is ended. `tell` and `again` get the place of a database;
/// `at_once` of them are looked at side by side.
pub async fn once_all_free<F>(
    mut planned: Vec<Planned>,
    patience: impl Fn(usize) -> Patience,
    at_once: usize,
    tell: impl Fn(usize, &str),
    again: impl Fn(usize) -> F,
) -> Result<Vec<Planned>, ProviderError>
where
    F: Future<Output = Result<Planned, ProviderError>>,
{
    let began = Instant::now();
    let left = |place: usize| {
        let patience = patience(place);
        Patience { deadline: patience.deadline.saturating_sub(began.elapsed()), ..patience }
    };
    while let Some(busy) = busy(&planned).filter(|busy| busy.iter().all(|place| !left(*place).deadline.is_zero())) {
        let (turns, tell, again, left) = (&Semaphore::new(at_once), &tell, &again, &left);
        let mut waits: FuturesUnordered<_> = busy
            .iter()
            .map(|place| {
                let (place, planned) = (*place, planned[*place].clone());
                let look = move || async move {
                    let _turn = turns.acquire().await;
                    again(place).await
                };
                async move { once_free(planned, &left(place), |words| tell(place, words), look).await }
            })
            .collect();
        while let Some(planned) = waits.next().await {
            if planned?.plan.is_refused() {
                break;
            }
        }
        drop(waits);
        let (mut pause, mut is_failing) = (patience(busy[0]).first_pause, false);
        planned = loop {
            match stream::iter((0..planned.len()).map(again)).buffered(at_once).try_collect().await {
                // As in each of the looks before.
                Err(error)
                    if error.kind.is_transient() && busy.iter().all(|place| !left(*place).deadline.is_zero()) =>
                {
                    if !is_failing {
                        tell(busy[0], &error.message);
                    }
                    is_failing = true;
                    sleep(pause).await;
                    pause = (pause * 3 / 2).min(patience(busy[0]).longest_pause);
                }
                planned => break planned?,
            }
        };
    }
    Ok(planned)
}

/// The places of those that are waited for. `None` where there are none, or something else is in the way of any.
fn busy(planned: &[Planned]) -> Option<Vec<usize>> {
    let refused = planned.iter().enumerate().filter(|(_, one)| one.plan.is_refused());
    let busy: Option<Vec<usize>> = refused.map(|(place, one)| one.plan.waits_for().map(|_| place)).collect();
    busy.filter(|busy| !busy.is_empty())
}
