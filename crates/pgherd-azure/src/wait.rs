//! Waits: until an operation has ended, until nothing goes on with a server, and until what stands in the way has passed.

use std::future::Future;
use std::time::Duration;

use pgherd_core::event::What;
use pgherd_core::resource::Status;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::settle::{self, Look, settle};
use pgherd_engine::stop::Stop;
use tokio::time::Instant;

use crate::api::{self, Begun, Progress, Server};
use crate::error::AzureError;
use crate::provider::Azure;
use crate::session::Session;

/// How long is waited at most, and how often is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until what was made can be used; a restore may take hours.
    pub making: Duration,
    /// Until a change is done.
    pub changing: Duration,
    /// Until what is deleted is gone.
    pub deleting: Duration,
    /// From one look, or one try, to the next, where Azure does not say.
    pub between_looks: Duration,
}

impl Patience {
    /// What fits who is asked: an emulator is not to be waited for by the minute.
    pub fn with(session: &Session) -> Self {
        let between_looks =
            if session.is_emulated() { Duration::from_millis(50) } else { Self::default().between_looks };
        Self { between_looks, ..Self::default() }
    }
}

impl Default for Patience {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            making: minutes(180),
            changing: minutes(120),
            deleting: minutes(60),
            between_looks: Duration::from_secs(15),
        }
    }
}

/// Why something came to nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The request was refused, or not answered.
    Refused(AzureError),
    /// It was taken, and failed or took too long.
    Failed(ProviderError),
}

impl From<Trouble> for ProviderError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(error) => error.into(),
            Trouble::Failed(error) => error,
        }
    }
}

impl From<AzureError> for Trouble {
    fn from(error: AzureError) -> Self {
        Self::Refused(error)
    }
}

/// What a server is doing. Its states are an open list.
pub(crate) fn status(there: &Server) -> Status {
    match there.state() {
        "Ready" => Status::Available,
        "Stopped" => Status::Stopped,
        "Provisioning" => Status::Incomplete("Azure is making it".to_owned()),
        "Disabled" => Status::Failed("Azure has disabled it".to_owned()),
        "Inaccessible" => Status::Failed("Azure cannot use its key".to_owned()),
        other => Status::Busy(other.to_lowercase()),
    }
}

fn looks(azure: &Azure, at_most: Duration) -> settle::Patience {
    let pause = azure.patience().between_looks;
    settle::Patience { deadline: at_most, first_pause: pause, longest_pause: pause }
}

/// Waits until nothing goes on with a server, whoever began it, or it is gone.
pub(crate) async fn idle(
    azure: &Azure,
    name: &str,
    at_most: Duration,
    events: &Events,
) -> Result<Option<Server>, ProviderError> {
    until(azure, at_most, events, || async move {
        let Some(there) = api::server(azure.at(), name).await? else { return Ok(Ok(None)) };
        Ok(match status(&there) {
            Status::Available | Status::Stopped | Status::Failed(_) | Status::Foreign(_) => Ok(Some(there)),
            Status::Busy(word) | Status::Incomplete(word) => Err(word),
        })
    })
    .await
}

/// Waits until nothing goes on with a server, and says how it is then.
pub(crate) async fn settled(
    azure: &Azure,
    name: &str,
    at_most: Duration,
    events: &Events,
) -> Result<Server, ProviderError> {
    let there = idle(azure, name, at_most, events).await?.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("the server {name} is gone")).help("plan again")
    })?;
    match status(&there) {
        Status::Failed(why) => Err(ProviderError::new(ErrorKind::Invalid, format!("{name}: {why}"))
            .help("look at it in the portal: what is in it may be lost when it is deleted")),
        _ => Ok(there),
    }
}

/// Waits until a look finds it; until then it says what goes on.
pub(crate) async fn until<T, F>(
    azure: &Azure,
    at_most: Duration,
    events: &Events,
    mut look: impl FnMut() -> F,
) -> Result<T, ProviderError>
where
    F: Future<Output = Result<Result<T, String>, ProviderError>>,
{
    let mut seen = || {
        let looked = look();
        async move {
            Ok(match looked.await? {
                Ok(found) => Look::Ready(found),
                Err(phase) => Look::Wait { phase, retry_after: None },
            })
        }
    };
    settle(&looks(azure, at_most), events, &Stop::never(), &mut seen).await
}

/// Has something done to a server and waits for its end. One thing at a time is done to it: of ours by a turn, and while something else
/// goes on with it, that is waited for. Azure says that it is busy for a moment longer than it is.
pub(crate) async fn carried<F>(
    azure: &Azure,
    name: &str,
    at_most: Duration,
    events: &Events,
    mut attempt: impl FnMut() -> F,
) -> Result<(), Trouble>
where
    F: Future<Output = Result<Begun, AzureError>>,
{
    let _turn = azure.turn().await;
    let until = Instant::now() + at_most;
    let begun = loop {
        match attempt().await {
            Err(error) if error.is_busy() && Instant::now() < until => {
                events.phase(error.message);
                idle(azure, name, at_most, events).await.map_err(Trouble::Failed)?;
                tokio::time::sleep(azure.patience().between_looks).await;
            }
            answer => break answer?,
        }
    };
    finished(azure, begun, at_most, events).await.map_err(Trouble::Failed)
}

/// Waits for the end of what was begun, which may be a bad one. Where to look is used as it was told.
pub(crate) async fn finished(
    azure: &Azure,
    begun: Begun,
    at_most: Duration,
    events: &Events,
) -> Result<(), ProviderError> {
    let Some(url) = begun.operation.as_deref() else { return Ok(()) };
    if let Some(wait) = begun.wait {
        tokio::time::sleep(wait.min(at_most)).await;
    }
    let look = || async move {
        Ok(match api::operation(azure.at().session, url).await? {
            Progress::On(retry_after) => Look::Wait { phase: "Azure is at it".to_owned(), retry_after },
            ended @ (Progress::Done | Progress::Failed(..)) => Look::Ready(ended),
        })
    };
    match settle(&looks(azure, at_most), events, &Stop::never(), look).await? {
        Progress::Failed(code, words) => {
            Err(ProviderError::new(ErrorKind::Invalid, format!("Azure: it was taken and failed: {code}: {words}")))
        }
        Progress::Done | Progress::On(_) => Ok(()),
    }
}

/// Tells the user something that no plan shows.
pub(crate) fn say(events: &Events, message: impl Into<String>) {
    events.emit(What::Said { message: message.into() });
}
