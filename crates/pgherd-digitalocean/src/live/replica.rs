//! Read replicas. DigitalOcean makes one of a backup, and refuses as long as there is none.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{Events, ProviderError};
use serde_json::json;

use super::{Names, int, once, text};
use crate::api::{self, Replica};
use crate::observe::{Found, find, ours};
use crate::provider::DigitalOcean;
use crate::wait::{is_at_rest, taken, until};
use crate::{names, tags};

/// Makes it, and returns when it can be used.
pub(super) async fn create(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    let source = ours(ocean, source(resource)).await?;
    let (session, at) = (ocean.session(), source.id.as_str());
    let look = || async move { Ok(named(api::replicas(session, at).await?, name)) };
    if look().await?.is_none() {
        let mut body = json!({ "name": name, "size": text(resource, "size")?, "tags": tags::sent(&resource.props) });
        for field in ["region", "private_network_uuid"] {
            if resource.props.contains_key(field) {
                body[field] = text(resource, field)?.into();
            }
        }
        if resource.props.contains_key("storage_size_mib") {
            let wanted = int(resource, "storage_size_mib")?;
            // It has room for what its source holds by now.
            body["storage_size_mib"] = source.storage_mib.map_or(wanted, |live| live.max(wanted)).into();
        }
        let body = &body;
        once(ocean, events, Names::Unique, || api::create_replica(session, at, body), look).await?;
    }
    let ready = || async move { Ok(look().await?.filter(|replica| is_at_rest(&replica.status))) };
    until(ocean, ocean.patience().making, "DigitalOcean is making it", events, ready).await.map(drop)
}

/// Gives it other nodes: by its id it is a cluster.
pub(super) async fn update(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (replica, _) = there(ocean, source(resource), &resource.id.name).await?;
    let size = text(resource, "size")?;
    let wanted_mib = resource.props.get("storage_size_mib").and_then(Value::as_int);
    let storage_mib = wanted_mib.max(replica.storage_mib.filter(|_| wanted_mib.is_some()));
    let (session, id) = (ocean.session(), replica.id.as_str());
    taken(ocean, events, || api::resize(session, id, &size, 1, storage_mib)).await?;
    let (source, name) = (source(resource), resource.id.name.as_str());
    let size = size.as_str();
    let ready = || async move {
        let (replica, _) = there(ocean, source, name).await?;
        let has_room = wanted_mib.is_none_or(|wanted| replica.storage_mib.is_none_or(|live| live >= wanted));
        let is_right = replica.size.as_deref().is_none_or(|live| live == size) && has_room;
        Ok((is_at_rest(&replica.status) && is_right).then_some(()))
    };
    until(ocean, ocean.patience().changing, "resizing", events, ready).await
}

/// Deletes it. It holds nothing that its source does not.
pub(super) async fn delete(ocean: &DigitalOcean, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    let Some(database) = names::source(name) else { return Ok(()) };
    let Found::Ours(source) = find(ocean, database).await? else { return Ok(()) };
    let (session, at) = (ocean.session(), source.id.as_str());
    if named(api::replicas(session, at).await?, name).is_none() {
        return Ok(());
    }
    taken(ocean, events, || api::delete_replica(session, at, name)).await?;
    let gone = || async move { Ok(named(api::replicas(session, at).await?, name).is_none().then_some(())) };
    until(ocean, ocean.patience().deleting, "deleting", events, gone).await
}

/// A replica and the id of its cluster.
pub(super) async fn there(
    ocean: &DigitalOcean,
    database: &str,
    name: &str,
) -> Result<(Replica, String), ProviderError> {
    let source = ours(ocean, database).await?;
    let found = named(api::replicas(ocean.session(), &source.id).await?, name);
    let found = found.ok_or_else(|| {
        use pgherd_engine::provider::ErrorKind;
        ProviderError::new(ErrorKind::NotFound, format!("{name} is not there any more")).help("plan again")
    })?;
    Ok((found, source.id))
}

fn named(replicas: Vec<Replica>, name: &str) -> Option<Replica> {
    replicas.into_iter().find(|replica| replica.name == name)
}

/// The database a replica is wanted of.
fn source(resource: &Resource) -> &str {
    resource.needs.iter().find(|need| need.kind == crate::kinds::cluster::NAME).map_or("", |need| need.name.as_str())
}
