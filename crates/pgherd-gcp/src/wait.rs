//! Waits: until an operation has ended, until nothing goes on with an instance, and until what stands in the way has passed.

use std::future::Future;
use std::time::Duration;

use pgherd_core::event::What;
use pgherd_core::resource::Status;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_engine::settle::{self, Look, settle};
use pgherd_engine::stop::Stop;
use tokio::time::Instant;

use crate::api::{self, Instance, Operation};
use crate::error::GcpError;
use crate::provider::Gcp;
use crate::session::Session;

/// How long is waited at most, and how often is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until what was made can be used. Google's own Terraform provider waits 90 minutes; a restore may take longer.
    pub making: Duration,
    /// Until a change is done.
    pub changing: Duration,
    /// Until what is deleted is gone.
    pub deleting: Duration,
    /// Until what was made is to be seen.
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
            deleting: minutes(90),
            appearing: minutes(2),
            between_looks: Duration::from_secs(10),
        }
    }
}

/// Why something came to nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The request was refused, or not answered.
    Refused(GcpError),
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

impl From<GcpError> for Trouble {
    fn from(error: GcpError) -> Self {
        Self::Refused(error)
    }
}

/// What an instance is doing. Its states are an open list.
pub(crate) fn status(there: &Instance) -> Status {
    match there.state() {
        "RUNNABLE" if there.is_stopped() => Status::Stopped,
        "RUNNABLE" => Status::Available,
        "PENDING_CREATE" => Status::Incomplete("Cloud SQL is making it".to_owned()),
        "FAILED" => Status::Failed("Cloud SQL says that it failed: it has to be deleted".to_owned()),
        "SUSPENDED" => {
            let why = there.0["suspensionReason"].as_array().into_iter().flatten().filter_map(|one| one.as_str());
            Status::Failed(format!("Cloud SQL has suspended it: {}", why.collect::<Vec<_>>().join(", ")))
        }
        "PENDING_DELETE" => Status::Busy(Status::DELETING.to_owned()),
        other => Status::Busy(other.to_lowercase().replace('_', " ")),
    }
}

fn looks(gcp: &Gcp, at_most: Duration) -> settle::Patience {
    let pause = gcp.patience().between_looks;
    settle::Patience { deadline: at_most, first_pause: pause, longest_pause: pause }
}

/// Waits until nothing goes on with an instance, whoever began it.
pub(crate) async fn idle(gcp: &Gcp, name: &str, at_most: Duration, events: &Events) -> Result<(), ProviderError> {
    until(gcp, at_most, events, || async move {
        let all = api::running(gcp.at(), name).await?;
        Ok(match all.into_iter().find(|one| !one.is_done) {
            Some(one) => Err(one.kind.to_lowercase().replace('_', " ")),
            None => Ok(()),
        })
    })
    .await
}

/// Waits until nothing goes on with an instance, and says how it is then.
pub(crate) async fn settled(
    gcp: &Gcp,
    name: &str,
    at_most: Duration,
    events: &Events,
) -> Result<Instance, ProviderError> {
    idle(gcp, name, at_most, events).await?;
    until(gcp, at_most, events, || async move {
        let there = api::instance(gcp.at(), name).await?.ok_or_else(|| {
            ProviderError::new(ErrorKind::NotFound, format!("the instance {name} is gone")).help("plan again")
        })?;
        Ok(match status(&there) {
            Status::Available | Status::Stopped => Ok(there),
            Status::Failed(why) => {
                let help = "look at it in the console, then delete it: what is in it may be lost";
                return Err(ProviderError::new(ErrorKind::Invalid, format!("{name}: {why}")).help(help));
            }
            Status::Busy(word) | Status::Incomplete(word) | Status::Foreign(word) => Err(word),
        })
    })
    .await
}

/// Waits until a look finds it; until then it says what goes on.
pub(crate) async fn until<T, F>(
    gcp: &Gcp,
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
    settle(&looks(gcp, at_most), events, &Stop::never(), &mut seen).await
}

/// Has something done to an instance and waits for its end. While something else goes on with it, that is waited for first.
pub(crate) async fn carried<F>(
    gcp: &Gcp,
    name: &str,
    at_most: Duration,
    events: &Events,
    mut attempt: impl FnMut() -> F,
) -> Result<(), Trouble>
where
    F: Future<Output = Result<Operation, GcpError>>,
{
    let until = Instant::now() + at_most;
    let begun = loop {
        match attempt().await {
            Err(error) if error.is_busy() && Instant::now() < until => {
                events.phase(error.message);
                idle(gcp, name, at_most, events).await.map_err(Trouble::Failed)?;
                tokio::time::sleep(gcp.patience().between_looks).await;
            }
            answer => break answer?,
        }
    };
    finished(gcp, begun, at_most, events).await.map_err(Trouble::Failed)
}

/// Waits for the end of an operation, which may be a bad one.
async fn finished(gcp: &Gcp, begun: Operation, at_most: Duration, events: &Events) -> Result<(), ProviderError> {
    let name = begun.name.clone();
    let name = name.as_str();
    let ended = if begun.is_done {
        begun
    } else {
        until(gcp, at_most, events, || async move {
            let seen = api::operation(gcp.at(), name).await?;
            Ok(if seen.is_done { Ok(seen) } else { Err(seen.kind.to_lowercase().replace('_', " ")) })
        })
        .await?
    };
    match ended.error {
        None => Ok(()),
        Some((code, message)) => {
            let words = format!("Google Cloud: the operation {name} ({}) failed: {code}: {message}", ended.kind);
            let error = ProviderError::new(ErrorKind::Invalid, words);
            Err(if code == "NETWORK_NOT_PEERED" { error.help(UNCONNECTED) } else { error })
        }
    }
}

/// What cannot be seen before: only the network's owner may be allowed to look.
const UNCONNECTED: &str = "give the network private services access (`gcloud services vpc-peerings connect`), destroy the instance that failed, and apply again";

/// Tells the user something that no plan shows.
pub(crate) fn say(events: &Events, message: impl Into<String>) {
    events.emit(What::Said { message: message.into() });
}
