//! Waits: until a cluster or a replica is at rest, until it is gone, and until what stands in the way has passed.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pgherd_core::event::What;
use pgherd_core::resource::Status;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::settle::{self, Look, settle};
use pgherd_engine::stop::Stop;

use crate::api::{self, Cluster};
use crate::error::DoError;
use crate::provider::DigitalOcean;
use crate::session::Session;

/// How long is waited at most, and how often is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until what was made can be used. DigitalOcean's own Terraform provider waits half an hour; a restore may take longer.
    pub making: Duration,
    /// Until a change is done.
    pub changing: Duration,
    /// Until what is deleted is gone.
    pub deleting: Duration,
    /// Until what was made is to be seen: it may not be at once.
    pub appearing: Duration,
    /// From one look, or one try, to the next.
    pub between_looks: Duration,
}

impl Patience {
    /// What fits who is asked: an emulator is not to be waited for by the minute.
    pub fn with(session: &Session) -> Self {
        let between_looks =
            if session.is_emulated() { Duration::from_millis(200) } else { Self::default().between_looks };
        Self { between_looks, ..Self::default() }
    }
}

impl Default for Patience {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            making: minutes(120),
            changing: minutes(120),
            deleting: minutes(30),
            appearing: minutes(2),
            between_looks: Duration::from_secs(15),
        }
    }
}

/// What a cluster or replica with that word is doing. It is an open list.
pub(crate) fn status(word: &str) -> Status {
    match word {
        // Of replicas, in the prose of the description.
        "online" | "active" => Status::Available,
        "creating" | "forking" => Status::Incomplete("DigitalOcean is making it".to_owned()),
        _ => Status::Busy(word.to_owned()),
    }
}

/// Whether whatever was begun is done.
pub(crate) fn is_at_rest(word: &str) -> bool {
    status(word) == Status::Available
}

fn looks(ocean: &DigitalOcean, at_most: Duration) -> settle::Patience {
    let pause = ocean.patience().between_looks;
    settle::Patience { deadline: at_most, first_pause: pause, longest_pause: pause }
}

/// So often is looked at least for what is not to be seen yet: a time that passed while nobody was let through is none.
const LOOKS: u32 = 5;

/// Waits until a cluster is at rest and as it should be.
pub(crate) async fn settled(
    ocean: &DigitalOcean,
    id: &str,
    at_most: Duration,
    events: &Events,
    is_right: impl Fn(&Cluster) -> bool,
) -> Result<Cluster, ProviderError> {
    let is_right = &is_right;
    let appearing = tokio::time::Instant::now() + ocean.patience().appearing;
    let seen_once = AtomicBool::new(false);
    let seen_once = &seen_once;
    let looks_left = &AtomicU32::new(LOOKS);
    let look = || async move {
        match api::cluster(ocean.session(), id).await.map_err(ProviderError::from)? {
            Some(cluster) if is_at_rest(&cluster.status) && is_right(&cluster) => Ok(Look::Ready(cluster)),
            Some(cluster) => {
                seen_once.store(true, Ordering::Relaxed);
                let phase =
                    if is_at_rest(&cluster.status) { "it is about to begin".to_owned() } else { cluster.status };
                Ok(Look::Wait { phase, retry_after: None })
            }
            // It may not be to be seen right after it was asked for.
            None if !seen_once.load(Ordering::Relaxed)
                && (tokio::time::Instant::now() < appearing || looks_left.load(Ordering::Relaxed) > 0) =>
            {
                looks_left.store(looks_left.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
                Ok(Look::Wait { phase: "not to be seen yet".to_owned(), retry_after: None })
            }
            None => Err(ProviderError::new(ErrorKind::NotFound, "the cluster is gone").help("plan again")),
        }
    };
    settle(&looks(ocean, at_most), events, &Stop::never(), look).await
}

/// Waits until something is there, or gone, or whatever a look says.
pub(crate) async fn until<T, F>(
    ocean: &DigitalOcean,
    at_most: Duration,
    phase: &str,
    events: &Events,
    mut look: impl FnMut() -> F,
) -> Result<T, ProviderError>
where
    F: Future<Output = Result<Option<T>, ProviderError>>,
{
    let mut seen = || {
        let looked = look();
        async move {
            Ok(match looked.await? {
                Some(found) => Look::Ready(found),
                None => Look::Wait { phase: phase.to_owned(), retry_after: None },
            })
        }
    };
    settle(&looks(ocean, at_most), events, &Stop::never(), &mut seen).await
}

/// What has to be at rest before something is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// Nothing: it is about the account.
    Account,
    /// A cluster, by its id.
    Cluster(&'a str),
    /// A replica, by the id of its cluster and its name; and the cluster.
    Replica(&'a str, &'a str),
}

impl Of<'_> {
    /// Whether something goes on with it. What is not there is at rest.
    async fn is_busy(self, session: &Session) -> Result<bool, DoError> {
        let is_busy = |word: &str| !is_at_rest(word);
        match self {
            Self::Account => Ok(false),
            Self::Cluster(id) => Ok(api::cluster(session, id).await?.is_some_and(|there| is_busy(&there.status))),
            Self::Replica(cluster, name) => {
                if api::cluster(session, cluster).await?.is_some_and(|there| is_busy(&there.status)) {
                    return Ok(true);
                }
                let replicas = api::replicas(session, cluster).await?;
                Ok(replicas.iter().any(|there| there.name == name && is_busy(&there.status)))
            }
        }
    }
}

/// Whether a refusal is waited out: only as long as something goes on, which is looked at, and once more when that was just over.
pub(crate) struct Refusals<'a> {
    of: Of<'a>,
    until: tokio::time::Instant,
    was_at_rest: bool,
}

impl<'a> Refusals<'a> {
    pub(crate) fn new(ocean: &DigitalOcean, of: Of<'a>) -> Self {
        Self { of, until: tokio::time::Instant::now() + ocean.patience().changing, was_at_rest: false }
    }

    /// Waits a moment when it may pass.
    pub(crate) async fn pass(&mut self, ocean: &DigitalOcean, events: &Events, error: &DoError) -> bool {
        if !error.may_pass() || tokio::time::Instant::now() >= self.until {
            return false;
        }
        let is_busy = error.is_too_early() || self.of.is_busy(ocean.session()).await.unwrap_or_default();
        // It may have come to rest between the refusal and the look.
        let passes = is_busy || !std::mem::replace(&mut self.was_at_rest, true);
        if is_busy {
            self.was_at_rest = false;
        }
        if passes {
            events.phase(&error.message);
            tokio::time::sleep(ocean.patience().between_looks).await;
        }
        passes
    }
}

/// Asks until it is taken: while something else goes on with a cluster, it is refused.
pub(crate) async fn taken<T, F>(
    ocean: &DigitalOcean,
    of: Of<'_>,
    events: &Events,
    mut attempt: impl FnMut() -> F,
) -> Result<T, DoError>
where
    F: Future<Output = Result<T, DoError>>,
{
    let mut refusals = Refusals::new(ocean, of);
    loop {
        match attempt().await {
            Err(error) if refusals.pass(ocean, events, &error).await => {}
            answer => return answer,
        }
    }
}

/// Tells the user something that no plan shows.
pub(crate) fn say(events: &Events, message: impl Into<String>) {
    events.emit(What::Said { message: message.into() });
}
