//! What is done to things that exist: one kind a file. Everything can be repeated.

pub(crate) mod late;
pub mod modify;

mod alarm;
pub(crate) mod anew;
mod backup_replication;
pub(crate) mod change;
mod dashboard;
pub(crate) mod document;
mod elsewhere;
mod instance;
pub(crate) mod led;
pub(crate) mod left;
mod log_group;
pub(crate) mod made;
pub(crate) mod marks;
mod orphans;
mod ours;
mod parameter_group;
mod proxy;
mod reach;
pub(crate) mod renaming;
mod replica;
mod request;
mod role;
mod rotation;
mod rules;
pub(crate) mod secret;
mod security_group;
pub(crate) mod servers;
pub(crate) mod spelling;
mod subnet_group;
mod tagged;
mod topic;
mod upgrade;
pub(crate) mod users;
pub(crate) mod waiting;

pub(crate) use spelling::{GP3_IOPS, GP3_THROUGHPUT};
pub(crate) use tagged::sibling;

use futures_util::future::{try_join, try_join4};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::secret::Secret;
use pgherd_core::value::Props;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use crate::provider::Aws;
use crate::{kinds, names, operate};

/// One thing as it is, for whoever needs a field of it that AWS assigns.
pub(crate) async fn one(aws: &Aws, id: &Id) -> Result<Option<Observed>, ProviderError> {
    match id.kind.as_str() {
        kinds::instance::NAME | kinds::replica::NAME => servers::one(aws, id).await,
        kinds::secret::NAME => {
            let bare = [Resource { id: id.clone(), props: Props::new(), needs: Vec::new() }];
            secret::observe(aws, secret::told(aws, &bare).await?, &[]).await
        }
        kinds::topic::NAME | kinds::role::NAME | kinds::security_group::NAME => {
            let bare = Resource { id: id.clone(), props: Props::new(), needs: Vec::new() };
            let seen = around(aws, std::slice::from_ref(&bare)).await?;
            Ok(seen.into_iter().find(|seen| seen.id == *id))
        }
        kind => Err(unsupported(kind)),
    }
}

/// What there is around the servers of a block, but for its secret, which tells of them. Where only some things are looked at, only what has to do with those is asked.
pub(crate) async fn around(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let named = async { try_join(topic::observe(aws, wanted), role::observe(aws, wanted)).await };
    let near = async { try_join(security_group::observe(aws, wanted), log_group::observe(aws, wanted)).await };
    let watching = async { try_join(alarm::observe(aws, wanted), dashboard::observe(aws, wanted)).await };
    let proxies = proxy::observe(aws, wanted);
    let ((topics, roles), (groups, logs), (alarms, dashboards), proxies) =
        try_join4(named, near, watching, proxies).await?;
    Ok([topics, roles, groups, logs, alarms, dashboards, proxies].concat())
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
    if let Some((region, database)) = elsewhere_of(&resource.id) {
        marks::set(aws, &database, &marks::Mark::Region(region)).await?;
    }
    // Until it is made: it is told as something that nobody uses from then on.
    let _at_work = left::before_creation(aws, &resource.id).await?;
    match resource.id.kind.as_str() {
        kinds::topic::NAME => topic::create(aws, resource, now, events).await,
        kinds::role::NAME => role::create(aws, resource, now, events).await,
        kinds::security_group::NAME => security_group::create(aws, resource, now, events).await,
        kinds::log_group::NAME => log_group::create(aws, resource, now, events).await,
        kinds::proxy::NAME => proxy::create(aws, resource, now, events).await,
        kinds::backup_replication::NAME => backup_replication::create(aws, resource, now, events).await,
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
    let changes = left::without_mark(changes);
    let at_work = left::before(aws, &resource.id, &changes).await?;
    if !changes.is_empty() {
        updated(aws, resource, &changes, now, events).await?;
    }
    match at_work {
        Some(at_work) => at_work.ended(aws).await,
        None if resource.id.kind == kinds::instance::NAME => left::after(aws, &resource.id).await,
        None => Ok(()),
    }
}

async fn updated(
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
        kinds::proxy::NAME => proxy::update(aws, resource, changes, now, events).await,
        kinds::backup_replication::NAME => backup_replication::update(aws, resource, changes, now, events).await,
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
    deleted(aws, id, how, events).await?;
    match elsewhere_of(id) {
        Some((region, database)) => forgotten(aws, &database, region).await,
        None if is_found_by_reference(id) => left::after(aws, id).await,
        None => Ok(()),
    }
}

/// Whether a thing is told of by what refers to it alone.
fn is_found_by_reference(id: &Id) -> bool {
    let kinds = [kinds::topic::NAME, kinds::dashboard::NAME, kinds::security_group::NAME, kinds::parameter_group::NAME];
    kinds.contains(&id.kind.as_str())
}

/// The second region a thing is in, and the database it is of. Copies of backups, of which the instance itself tells, are not called
/// after their region.
fn elsewhere_of(id: &Id) -> Option<(String, String)> {
    let (region, name) = names::place(&id.kind, &id.name);
    Some((region.filter(|_| id.kind != kinds::backup_replication::NAME)?, names::database_elsewhere(&name)?.to_owned()))
}

/// Takes the mark off an instance once nothing of it is left in a second region.
async fn forgotten(aws: &Aws, block: &str, region: String) -> Result<(), ProviderError> {
    let bare = |id: Id| Resource { id, props: Props::new(), needs: Vec::new() };
    let bare: Vec<Resource> = orphans::there(block, &region).into_iter().map(bare).collect();
    let (servers, around) = try_join(servers::elsewhere(aws, block, &region), around(aws, &bare)).await?;
    let is_ours = |seen: &Observed| !matches!(seen.status, Status::Foreign(_));
    if servers.iter().chain(&around).any(is_ours) {
        return Ok(());
    }
    marks::clear(aws, block, &marks::Mark::Region(region)).await
}

async fn deleted(aws: &Aws, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    match id.kind.as_str() {
        kinds::topic::NAME => topic::delete(aws, id, how, events).await,
        kinds::role::NAME => role::delete(aws, id, how, events).await,
        kinds::security_group::NAME => security_group::delete(aws, id, how, events).await,
        kinds::log_group::NAME => log_group::delete(aws, id, how, events).await,
        kinds::proxy::NAME => proxy::delete(aws, id, how, events).await,
        kinds::backup_replication::NAME => backup_replication::delete(aws, id, how, events).await,
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

/// The master password that stands in the secret of a database.
pub(crate) async fn password(aws: &Aws, database: &str) -> Result<Secret, ProviderError> {
    secret::password(aws, database).await
}

/// Gives a database a new password.
pub(crate) async fn rotate(aws: &Aws, database: &str, events: &Events) -> Result<(), ProviderError> {
    rotation::renewed(aws, database, events).await
}

fn unsupported(kind: &str) -> ProviderError {
    let message = format!("this version of pgherd cannot make, change or delete {kind} on AWS");
    ProviderError::new(ErrorKind::Unsupported, message)
}
