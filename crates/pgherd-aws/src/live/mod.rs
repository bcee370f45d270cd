//! What is done to things that exist: one kind a file. Everything can be repeated.

pub(crate) mod late;
pub mod modify;

mod change;
mod instance;
mod made;
mod parameter_group;
mod replica;
mod request;
mod secret;
pub(crate) mod servers;
mod spelling;
mod subnet_group;
mod tagged;
mod upgrade;

pub(crate) use tagged::sibling;

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use crate::kinds;
use crate::provider::Aws;

/// One thing as it is, for whoever needs a field of it that AWS assigns.
pub(crate) async fn one(aws: &Aws, id: &Id) -> Result<Option<Observed>, ProviderError> {
    match id.kind.as_str() {
        kinds::instance::NAME | kinds::replica::NAME => servers::one(aws, id).await,
        kind => Err(unsupported(kind)),
    }
}

/// Makes a thing, or finishes making it.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::instance::NAME => instance::create(aws, resource, now, events).await,
        kinds::replica::NAME => replica::create(aws, resource, now, events).await,
        kinds::parameter_group::NAME => parameter_group::create(aws, resource, now, events).await,
        kinds::subnet_group::NAME => subnet_group::create(aws, resource, now, events).await,
        kind => Err(unsupported(kind)),
    }
}

/// Changes a thing.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::instance::NAME => instance::update(aws, resource, changes, now, events).await,
        kinds::replica::NAME => replica::update(aws, resource, changes, now, events).await,
        kinds::parameter_group::NAME => parameter_group::update(aws, resource, changes, now, events).await,
        kinds::subnet_group::NAME => subnet_group::update(aws, resource, changes, now, events).await,
        kind => Err(unsupported(kind)),
    }
}

/// Removes a thing; what is gone is removed.
pub(crate) async fn delete(aws: &Aws, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    match id.kind.as_str() {
        kinds::instance::NAME => instance::delete(aws, id, how, events).await,
        kinds::replica::NAME => replica::delete(aws, id, how, events).await,
        kinds::parameter_group::NAME => parameter_group::delete(aws, id, how, events).await,
        kinds::subnet_group::NAME => subnet_group::delete(aws, id, how, events).await,
        kind => Err(unsupported(kind)),
    }
}

fn unsupported(kind: &str) -> ProviderError {
    let what = match kind {
        kinds::proxy::NAME => "RDS Proxy",
        kinds::backup_replication::NAME => "copies of backups in a second region",
        kind => kind,
    };
    ProviderError::new(
        ErrorKind::Unsupported,
        format!("this version of pgherd cannot make, change or delete {what} on AWS"),
    )
}
