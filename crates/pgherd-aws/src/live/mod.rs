//! What is done to things that exist: one kind a file. Everything can be repeated.

pub(crate) mod late;
pub mod modify;

mod alarm;
pub(crate) mod anew;
mod change;
mod dashboard;
pub(crate) mod document;
mod instance;
mod log_group;
mod made;
mod orphans;
mod ours;
mod parameter_group;
mod replica;
mod request;
mod role;
mod rotation;
mod rules;
mod secret;
mod security_group;
pub(crate) mod servers;
mod spelling;
mod subnet_group;
mod tagged;
mod topic;
mod upgrade;
mod waiting;

pub(crate) use tagged::sibling;

use futures_util::future::{try_join, try_join3};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::Props;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use crate::provider::Aws;
use crate::{kinds, operate};

/// One thing as it is, for whoever needs a field of it that AWS assigns.
pub(crate) async fn one(aws: &Aws, id: &Id) -> Result<Option<Observed>, ProviderError> {
    match id.kind.as_str() {
        kinds::instance::NAME | kinds::replica::NAME => servers::one(aws, id).await,
        kinds::topic::NAME | kinds::role::NAME | kinds::security_group::NAME | kinds::secret::NAME => {
            let bare = Resource { id: id.clone(), props: Props::new(), needs: Vec::new() };
            let seen = around(aws, std::slice::from_ref(&bare)).await?;
            Ok(seen.into_iter().find(|seen| seen.id == *id))
        }
        kind => Err(unsupported(kind)),
    }
}

/// What there is around the servers of a block. Where only some things are looked at, only what has to do with those is asked.
pub(crate) async fn around(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let kept = async {
        try_join3(topic::observe(aws, wanted), role::observe(aws, wanted), secret::observe(aws, wanted)).await
    };
    let near = async { try_join(security_group::observe(aws, wanted), log_group::observe(aws, wanted)).await };
    let watching = async { try_join(alarm::observe(aws, wanted), dashboard::observe(aws, wanted)).await };
    let ((topics, roles, secrets), (groups, logs), (alarms, dashboards)) = try_join3(kept, near, watching).await?;
    Ok([topics, roles, groups, logs, secrets, alarms, dashboards].concat())
}

/// What nobody wants any more of what stands around a block of which this was seen.
pub(crate) async fn orphans(aws: &Aws, wanted: &[Resource], seen: &[Observed]) -> Result<Vec<Observed>, ProviderError> {
    orphans::observe(aws, wanted, seen).await
}

/// Makes a thing, or finishes making it.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::topic::NAME => topic::create(aws, resource, now, events).await,
        kinds::role::NAME => role::create(aws, resource, now, events).await,
        kinds::security_group::NAME => security_group::create(aws, resource, now, events).await,
        kinds::log_group::NAME => log_group::create(aws, resource, now, events).await,
        kinds::secret::NAME => secret::create(aws, resource, now, events).await,
        kinds::alarm::NAME => alarm::create(aws, resource, now, events).await,
        kinds::dashboard::NAME => dashboard::create(aws, resource, now, events).await,
        kinds::instance::NAME => {
            operate::in_the_way(aws, &resource.id).await?;
            instance::create(aws, resource, now, events).await
        }
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
        kinds::topic::NAME => topic::update(aws, resource, changes, now, events).await,
        kinds::role::NAME => role::update(aws, resource, changes, now, events).await,
        kinds::security_group::NAME => security_group::update(aws, resource, changes, now, events).await,
        kinds::log_group::NAME => log_group::update(aws, resource, changes, now, events).await,
        kinds::secret::NAME => secret::update(aws, resource, changes, now, events).await,
        kinds::alarm::NAME => alarm::update(aws, resource, changes, now, events).await,
        kinds::dashboard::NAME => dashboard::update(aws, resource, changes, now, events).await,
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
        kinds::topic::NAME => topic::delete(aws, id, how, events).await,
        kinds::role::NAME => role::delete(aws, id, how, events).await,
        kinds::security_group::NAME => security_group::delete(aws, id, how, events).await,
        kinds::log_group::NAME => log_group::delete(aws, id, how, events).await,
        kinds::secret::NAME => secret::delete(aws, id, how, events).await,
        kinds::alarm::NAME => alarm::delete(aws, id, how, events).await,
        kinds::dashboard::NAME => dashboard::delete(aws, id, how, events).await,
        kinds::instance::NAME => instance::delete(aws, id, how, events).await,
        kinds::replica::NAME => replica::delete(aws, id, how, events).await,
        kinds::parameter_group::NAME => parameter_group::delete(aws, id, how, events).await,
        kinds::subnet_group::NAME => subnet_group::delete(aws, id, how, events).await,
        kind => Err(unsupported(kind)),
    }
}

/// Gives a database a new password.
pub(crate) async fn rotate(aws: &Aws, database: &str, events: &Events) -> Result<(), ProviderError> {
    rotation::renewed(aws, database, events).await
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
