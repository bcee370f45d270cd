//! What is done to things that exist: one kind a file. Everything can be repeated.

mod alert;
mod cluster;
mod replica;
mod secret;
mod within;

pub(crate) use secret::{password, password_of, written_down};

use std::future::Future;

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{Deletion, ErrorKind, Events, ProviderError};

use crate::error::DoError;
use crate::kinds;
use crate::provider::DigitalOcean;
use crate::wait::{Of, Refusals};

/// Makes a thing, or finishes making it.
pub(crate) async fn create(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::cluster::NAME => cluster::create(ocean, resource, events).await,
        kinds::config::NAME => within::config(ocean, resource, events).await,
        kinds::database::NAME => within::database(ocean, resource, events).await,
        kinds::user::NAME => within::user(ocean, resource, events).await,
        kinds::secret::NAME => secret::write(ocean, resource, events).await,
        kinds::replica::NAME => replica::create(ocean, resource, events).await,
        kinds::firewall::NAME => within::firewall(ocean, resource, events).await,
        kinds::pool::NAME => within::pool(ocean, resource, events).await,
        kinds::alert::NAME => alert::put(ocean, resource).await,
        kind => Err(unknown(kind)),
    }
}

/// Changes a thing.
pub(crate) async fn update(
    ocean: &DigitalOcean,
    resource: &Resource,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::cluster::NAME => cluster::update(ocean, resource, changes, events).await,
        kinds::replica::NAME => replica::update(ocean, resource, events).await,
        // Everything else is put as it should be, whatever of it differs.
        _ => create(ocean, resource, events).await,
    }
}

/// Removes a thing; what is gone is removed. What is in a cluster goes with it.
pub(crate) async fn delete(
    ocean: &DigitalOcean,
    id: &Id,
    how: &Deletion,
    events: &Events,
) -> Result<(), ProviderError> {
    match id.kind.as_str() {
        kinds::cluster::NAME => cluster::delete(ocean, id, how, events).await,
        kinds::replica::NAME => replica::delete(ocean, id, events).await,
        kinds::pool::NAME => within::delete_pool(ocean, id, events).await,
        kinds::alert::NAME => alert::delete(ocean, id).await,
        kinds::config::NAME | kinds::database::NAME | kinds::user::NAME | kinds::firewall::NAME => Ok(()),
        kinds::secret::NAME => cluster::forgotten_if_gone(ocean, &id.name).await,
        kind => Err(unknown(kind)),
    }
}

/// How something came to be there.
enum Made<C, T> {
    /// It was made now; what was said of it.
    Now(C),
    /// It was found, made by a request nobody answered or by somebody else.
    Found(T),
}

/// Whether a second thing of the same name would be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// It would: asking again makes no second.
    Unique,
    /// Nobody promises that: it might be made, and billed, twice.
    Unpromised,
}

/// So often something is asked for whose answers are lost.
const TRIES: u32 = 3;

/// Has something made that was not there a moment ago. Nothing here takes a token by which a second request would be the same as the
/// first, so whoever does not know whether it was made looks.
async fn once<C, T, M, L>(
    ocean: &DigitalOcean,
    of: Of<'_>,
    events: &Events,
    names: Names,
    mut make: impl FnMut() -> M,
    mut look: impl FnMut() -> L,
) -> Result<Made<C, T>, ProviderError>
where
    M: Future<Output = Result<C, DoError>>,
    L: Future<Output = Result<Option<T>, ProviderError>>,
{
    let (mut tries, mut refusals) = (0, Refusals::new(ocean, of));
    loop {
        let error = match make().await {
            Ok(made) => return Ok(Made::Now(made)),
            Err(error) => error,
        };
        if !error.maybe_done {
            // Refused because it is there, it is not to be asked for again and again.
            if error.is_worth_a_look()
                && let Some(found) = look().await?
            {
                return Ok(Made::Found(found));
            }
            if refusals.pass(ocean, events, &error).await {
                continue;
            }
            return Err(error.into());
        }
        tries += 1;
        let at_most = ocean.patience().appearing;
        match crate::wait::until(ocean, at_most, "not to be seen yet", events, &mut look).await {
            Ok(found) => return Ok(Made::Found(found)),
            Err(waited) if waited.kind != ErrorKind::TimedOut => return Err(waited),
            // It came to nothing.
            Err(_) if names == Names::Unique && tries < TRIES => {}
            Err(_) => {
                let error = ProviderError::from(error);
                return Err(error.help("nothing of it is to be seen; run this again, which looks before it asks"));
            }
        }
    }
}

fn text(resource: &Resource, field: &str) -> Result<String, ProviderError> {
    resource.props.get(field).and_then(Value::as_text).map(str::to_owned).ok_or_else(|| not_known(resource, field))
}

fn int(resource: &Resource, field: &str) -> Result<i64, ProviderError> {
    resource.props.get(field).and_then(Value::as_int).ok_or_else(|| not_known(resource, field))
}

fn not_known(resource: &Resource, field: &str) -> ProviderError {
    let message = format!("{field} of {} is not known", resource.id);
    ProviderError::new(ErrorKind::Invalid, message).help("write the value of what the block refers to")
}

fn unknown(kind: &str) -> ProviderError {
    let message = format!("this version of pgherd cannot make, change or delete {kind} on DigitalOcean");
    ProviderError::new(ErrorKind::Unsupported, message)
}
