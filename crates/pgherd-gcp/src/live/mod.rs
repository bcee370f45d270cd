//! What is done to things that exist: one kind a file. Everything can be repeated.

mod ahead;
mod instance;
mod monitoring;
mod replica;
mod secret;
mod within;

pub(crate) use instance::relabelled;
pub(crate) use secret::{
    ROTATING, ensure, generated, is_to_be_put_in_force, password, put_in_force, rotate, to_be_put_in_force,
};
pub(crate) use within::password_of_role;

use std::future::Future;

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{Deletion, ErrorKind, Events, ProviderError};

use crate::api;
use crate::error::GcpError;
use crate::kinds;
use crate::provider::Gcp;

/// Makes a thing, or finishes making it.
pub(crate) async fn create(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let resource = &resolved(gcp, resource).await?;
    match resource.id.kind.as_str() {
        kinds::instance::NAME => instance::create(gcp, resource, events).await,
        kinds::database::NAME => within::database(gcp, resource, events).await,
        kinds::user::NAME => within::user(gcp, resource, events).await,
        kinds::secret::NAME => secret::put(gcp, resource, events).await,
        kinds::replica::NAME => replica::create(gcp, resource, events).await,
        kinds::channel::NAME => monitoring::channel(gcp, resource).await,
        kinds::alert::NAME => monitoring::alert(gcp, resource).await,
        kind => Err(unknown(kind)),
    }
}

/// Changes a thing.
pub(crate) async fn update(
    gcp: &Gcp,
    resource: &Resource,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::instance::NAME | kinds::replica::NAME => instance::update(gcp, resource, changes, events).await,
        kinds::secret::NAME => secret::update(gcp, &resolved(gcp, resource).await?, changes, events).await,
        // Everything else is put as it should be, whatever of it differs.
        _ => create(gcp, resource, events).await,
    }
}

/// The resource with what others have by now in the place of what was not known when it was planned.
async fn resolved(gcp: &Gcp, resource: &Resource) -> Result<Resource, ProviderError> {
    let mut known = Vec::new();
    for (id, field) in resource.props.values().flat_map(Value::outputs) {
        let value = match id.kind.as_str() {
            kinds::instance::NAME => {
                let there = api::instance(gcp.at(), &id.name).await?;
                let kind = if field == kinds::instance::PUBLIC { "PRIMARY" } else { "PRIVATE" };
                there.and_then(|there| there.address(kind))
            }
            _ => monitoring::channel_named(gcp, id).await?,
        };
        known.extend(value.map(|value| (id.clone(), field.to_owned(), Value::Text(value))));
    }
    let value = |id: &Id, field: &str| {
        let mut all = known.iter();
        all.find(|(known, name, _)| known == id && name == field).map(|(_, _, value)| value.clone())
    };
    let props = resource.props.iter().map(|(name, one)| (name.clone(), one.with_outputs(&value))).collect();
    Ok(Resource { props, ..resource.clone() })
}

/// Removes a thing; what is gone is removed. What is in an instance goes with it.
pub(crate) async fn delete(gcp: &Gcp, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    match id.kind.as_str() {
        kinds::instance::NAME => instance::delete(gcp, id, how, events).await,
        kinds::replica::NAME => replica::delete(gcp, id, events).await,
        kinds::secret::NAME => secret::delete(gcp, id).await,
        kinds::channel::NAME => monitoring::delete_channel(gcp, id).await,
        kinds::alert::NAME => monitoring::delete_alert(gcp, id).await,
        kinds::database::NAME | kinds::user::NAME => Ok(()),
        kind => Err(unknown(kind)),
    }
}

/// So often something is asked for whose answers are lost.
const TRIES: u32 = 3;

/// Has something made whose name is given once: where nobody knows whether it was made, a look says so. `Some`: it was there.
async fn once<C, T, M, L>(mut make: impl FnMut() -> M, mut look: impl FnMut() -> L) -> Result<Option<T>, ProviderError>
where
    M: Future<Output = Result<C, GcpError>>,
    L: Future<Output = Result<Option<T>, ProviderError>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let Err(error) = make().await else { return Ok(None) };
        if !error.maybe_done && !error.is_taken() {
            return Err(error.into());
        }
        match look().await? {
            Some(found) => return Ok(Some(found)),
            None if error.maybe_done && tries < TRIES => {}
            None => return Err(error.into()),
        }
    }
}

fn text(resource: &Resource, field: &str) -> Result<String, ProviderError> {
    resource.props.get(field).and_then(Value::as_text).map(str::to_owned).ok_or_else(|| not_known(resource, field))
}

fn not_known(resource: &Resource, field: &str) -> ProviderError {
    let message = format!("{field} of {} is not known", resource.id);
    ProviderError::new(ErrorKind::Invalid, message).help("write the value of what the block refers to")
}

fn unknown(kind: &str) -> ProviderError {
    let message = format!("this version of pgherd cannot make, change or delete {kind} on Google Cloud");
    ProviderError::new(ErrorKind::Unsupported, message)
}

/// Of what database a thing is wanted.
fn database_of(resource: &Resource) -> &str {
    let need = resource.needs.iter().find(|need| need.kind == kinds::instance::NAME);
    need.map_or_else(|| resource.id.name.split('/').next().unwrap_or_default(), |need| need.name.as_str())
}
